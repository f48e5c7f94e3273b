/* The product of two matrices by the inner loop of NumPy's matmul, with subnormal numbers as zeros: see backend/products.py. Arrays
   are NumPy's objects, y of the right shape and in rows. Without one dtype, in one piece, it does nothing and returns 0. */
typedef struct { char* data; int ndim; long *shape, *strides; void *base, *dtype; int flags; } array_t;      /* as in NumPy's C interface */
typedef void (*loop_t)(char**, const long*, const long*, void*);
typedef struct { const void* dtype; loop_t loop; void* data; } kind_t;
typedef struct { long head, count; const kind_t* kinds; } kinds_t;
enum { IN_ROWS = 1, IN_COLUMNS = 2, ALIGNED = 0x100 };

static int fits(const array_t* a, const array_t* y) {
    return a->dtype == y->dtype && a->ndim == 2 && a->flags & ALIGNED && a->flags & (IN_ROWS | IN_COLUMNS);
}

long product(const kinds_t* kinds, const char* a_, const char* b_, const char* y_) {
    const array_t *a = (const array_t*)(a_ + kinds->head), *b = (const array_t*)(b_ + kinds->head), *y = (const array_t*)(y_ + kinds->head);
    if (!fits(a, y) || !fits(b, y)) return 0;
    const long m = a->shape[0], k = a->shape[1], n = b->shape[1];
    if (b->shape[0] != k || k < 2 || !m || !n) return 0;
    for (const kind_t* kind = kinds->kinds; kind < kinds->kinds + kinds->count; kind++)
        if (kind->dtype == y->dtype) {
            char* data[] = {a->data, b->data, y->data};
            const long sizes[] = {1, m, k, n}, *s = a->strides, *t = b->strides, *u = y->strides;
            const long strides[] = {0, 0, 0, s[0], s[1], t[0], t[1], u[0], u[1]};
            const before_t before = flush();
            kind->loop(data, sizes, strides, kind->data);
            back(before);
            return 1;
        }
    return 0;
}
