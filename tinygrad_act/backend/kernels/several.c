/* A compiled rule (symbols/c.py) on one row of arrays after another. What a row has in the place `varying` is new at each call and comes
   as an array of NumPy's, all of them in a tuple; they are laid out as `like` says or nothing is done. Subnormal numbers are zeros meanwhile: see subnormal.py. */
typedef void (*rule_t)(char**, const long*, const long*, void*);
typedef struct { char* data; int ndim; long *shape, *strides; void *base, *dtype; int flags; } array_t;      /* as in NumPy's C interface */
typedef struct { void* scalar; char kind, letter, order, flags; int number; } dtype_t;                       /* likewise */
typedef struct {
    rule_t rule;
    void* data;                                          /* of the rule: where it finds the threads */
    long rows, width, targets, varying, size, head, items;
    char** table;                                        /* a row has `width` addresses, the last ones of the targets */
    const long *counts, *steps;
    char* const* like;
} several_t;
enum { IN_ONE_PIECE = 0x101 };                           /* NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED */

static inline const array_t* fields(const char* object, long head) { return (const array_t*)(object + head); }

static int same(const void* a, const void* b, long head) {                  /* a dtype that was unpickled is an object of its own */
    const dtype_t *d = (const dtype_t*)((const char*)a + head), *e = (const dtype_t*)((const char*)b + head);
    return d == e || (d->number == e->number && d->letter == e->letter && d->order == e->order);
}

static int alike(const several_t* t, const char* given, const char* like) {
    const array_t *a = fields(given, t->head), *b = fields(like, t->head);
    if (*(void**)(given + t->head - sizeof(void*)) != *(void**)(like + t->head - sizeof(void*))) return 0;       /* their types */
    if (!same(a->dtype, b->dtype, t->head) || a->ndim != b->ndim || (a->flags & IN_ONE_PIECE) != IN_ONE_PIECE) return 0;
    for (int k = 0; k < a->ndim; k++)
        if (a->shape[k] != b->shape[k]) return 0;
    return 1;
}

/* Does what is given lie across one of the row's targets? To be the very same memory does no harm. */
static int across(const several_t* t, char* const* row, const char* given, long bytes) {
    for (long k = t->width - t->targets; k < t->width; k++)
        if (given != row[k] && given < row[k] + bytes && row[k] < given + bytes) return 1;
    return 0;
}

long several(const several_t* t, const char* tuple) {
    char* const* given = (char* const*)(tuple + t->items);
    if (*(const long*)(tuple + t->items - sizeof(long)) != t->rows) return 0;
    for (long i = 0; i < t->rows; i++) {
        char** row = t->table + i * t->width;
        if (!alike(t, given[i], t->like[i])) return 0;
        row[t->varying] = fields(given[i], t->head)->data;
        if (across(t, row, row[t->varying], t->counts[i] * t->size)) return 0;
    }
    const before_t before = flush();
    for (long i = 0; i < t->rows; i++) t->rule(t->table + i * t->width, t->counts + i, t->steps, t->data);
    back(before);
    return 1;
}
