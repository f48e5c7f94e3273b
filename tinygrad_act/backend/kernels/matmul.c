/* Products of matrices, one for each place of the leading axes, with subnormal numbers as zeros: see backend/products.py. Arrays are
   NumPy's objects, y of the right shape and in rows. Floats go by products.c, in parts that threads share; doubles, and what is too
   narrow or too small for that, by the inner loop of NumPy's matmul. What neither takes is left as it is, and 0 returned. */
#pragma GCC optimize("fp-contract=fast")
#pragma clang fp contract(fast)
#define INLINE static inline __attribute__((always_inline))
#define FOR(i, count) for (long i = 0; i < (count); i++)
#include <stdlib.h>
#include "products.c"
typedef struct { char* data; int ndim; long *shape, *strides; void *base, *dtype; int flags; } array;      /* as in NumPy's C interface */
typedef struct { const void* dtype; void (*loop)(char**, const long*, const long*, void*); void* data; } kind;      /* float, double */
typedef struct { long head; kind kinds[2]; long (*threads)(void); void (*calls)(const void*, const long*, long, long, long, float* const*, long); } table;
enum { IN_ROWS = 1, IN_COLUMNS = 2, ALIGNED = 0x100, MOST = 64 };      /* of an array's flags; threads */
enum { NARROW = 16, LITTLE = 4, SMALL = 1000000 };                     /* columns and rows, and products, that BLAS is quicker with */
enum { WORTH = 1 << 20, PART = 1 << 22 };                                /* products that threads share, and of a part */

/* What threads share: products one after the other, each in `parts` of so many rows and columns. `of`: a, b and y, if they are many. */
typedef struct { matrix a, b, y; const array* of[3]; long m, n, k, parts, high, wide; } job;

static matrix item(matrix x, const array* from, const array* y, long number) {
    if (from)
        for (int own = from->ndim - 3, axis = y->ndim - 3; own >= 0; number /= y->shape[axis], axis--, own--)
            if (from->shape[own] != 1) x.at += number % y->shape[axis] * from->strides[own] / 4;
    return x;
}
static void some_parts(const job* s, long first, long end, float* room) {
    for (long number = first; number < end; number++) {
        const long which = number / s->parts, i = number % s->parts * s->high % s->m, j = number % s->parts * s->wide % s->n;
        const matrix a = item(s->a, s->of[0], s->of[2], which), b = item(s->b, s->of[1], s->of[2], which), y = item(s->y, s->of[2], s->of[2], which);
        strips(from(a, i, 0), from(b, 0, j), from(y, i, j), fewer(s->m - i, s->high), fewer(s->n - j, s->wide), s->k, 0, room);
    }
}

/* Rooms of former products, as to ask for new memory takes as long as a small one. */
static float* kept[MOST];
static float* borrow(void) {
    FOR(i, MOST) {
        float* room = __atomic_exchange_n(kept + i, 0, __ATOMIC_ACQ_REL);
        if (room) return room;
    }
    return aligned_alloc(64, ROOM * sizeof(float));
}
static void give_back(float* room) {
    FOR(i, MOST) {
        float* none = 0;
        if (__atomic_compare_exchange_n(kept + i, &none, room, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return;
    }
    free(room);
}

/* `count` products by tiles, if that is quicker. Without memory for it nothing is done. */
static long by_tiles(const table* t, job s, long count) {
    const long work = s.m * s.n * s.k, along = s.a.column == 1 && s.b.row == 1;      /* both lie along k */
    if (count == 1 && (s.m < 2 || s.n < LITTLE || work <= (!along ? SMALL : s.n < NARROW ? SMALL / 4 : 0))) return 0;
    const long threads = count * work < WORTH ? 1 : fewer(t->threads(), MOST);
    const long parts = count < threads ? fewer(work / PART + threads, 2 * threads) : 1;
    if (turns(s.a, s.b, s.m, s.n, s.k)) s = (job){turned(s.b), turned(s.a), turned(s.y), {s.of[1], s.of[0], s.of[2]}, s.n, s.m, s.k};
    const int columns = s.n >= s.m;
    s.high = columns ? s.m : fewer((s.m / parts + ROWS) / ROWS * ROWS, s.m);
    s.wide = columns ? fewer(((s.n + parts - 1) / parts + WIDTH - 1) / WIDTH * WIDTH, s.n) : s.n;
    s.parts = (s.m + s.high - 1) / s.high * ((s.n + s.wide - 1) / s.wide);
    const long all = count * s.parts, pieces = fewer(all, 2 * threads);
    long lists[2 * MOST][4], n = 0;
    float* rooms[MOST];
    while (n < threads && (rooms[n] = borrow())) n++;
    if (n == threads && pieces == 1) some_parts(&s, 0, all, rooms[0]);
    else if (n == threads) {
        void (*function)(const job*, long, long, float*) = some_parts;
        FOR(i, pieces) lists[i][0] = (long)&s, lists[i][1] = all * i / pieces, lists[i][2] = all * (i + 1) / pieces;
        t->calls(&function, lists[0], 4, pieces, 3, rooms, threads);
    }
    FOR(i, n) give_back(rooms[i]);
    return n == threads;
}

/* Of two matrices of floats, given as NumPy gives them to a loop. */
void loop(char** data, const long* sizes, const long* strides, const table* t) {
    const matrix a = {(float*)data[0], strides[3] / 4, strides[4] / 4}, b = {(float*)data[1], strides[5] / 4, strides[6] / 4};
    const job s = {a, b, {(float*)data[2], strides[7] / 4, strides[8] / 4}, {0}, sizes[1], sizes[3], sizes[2]};
    if (!by_tiles(t, s, 1)) t->kinds[0].loop(data, sizes, strides, t->kinds[0].data);
}

static int fits(const array* x, const array* y, int flags) { return x->ndim >= 2 && x->dtype == y->dtype && x->flags & ALIGNED && x->flags & flags; }
static matrix matrix_of(const array* x) { return (matrix){(float*)x->data, x->strides[x->ndim - 2] / 4, x->strides[x->ndim - 1] / 4}; }

long multiply(const table* t, const char* a_, const char* b_, const char* y_) {
    const array *a = (const array*)(a_ + t->head), *b = (const array*)(b_ + t->head), *y = (const array*)(y_ + t->head);
    if (!fits(a, y, ~0) || !fits(b, y, ~0) || !(y->flags & IN_ROWS)) return 0;
    const long m = a->shape[a->ndim - 2], k = a->shape[a->ndim - 1], n = b->shape[b->ndim - 1];
    long count = 1, done = 0;
    FOR(axis, y->ndim - 2) count *= y->shape[axis];
    if (b->shape[b->ndim - 2] != k || k < 2 || !m || !n || !count) return 0;
    const before_t before = flush();
    if (y->dtype == t->kinds[0].dtype) done = by_tiles(t, (job){matrix_of(a), matrix_of(b), matrix_of(y), {a, b, y}, m, n, k}, count);
    for (const kind* of = t->kinds; !done && y->ndim == 2 && of < t->kinds + 2; of++)
        if (of->dtype == y->dtype && fits(a, y, IN_ROWS | IN_COLUMNS) && fits(b, y, IN_ROWS | IN_COLUMNS)) {
            char* data[] = {a->data, b->data, y->data};
            const long sizes[] = {1, m, k, n}, *s = a->strides, *u = b->strides, *v = y->strides;
            const long strides[] = {0, 0, 0, s[0], s[1], u[0], u[1], v[0], v[1]};
            of->loop(data, sizes, strides, of->data);
            done = 1;
        }
    back(before);
    return done;
}
