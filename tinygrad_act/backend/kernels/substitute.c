/* Beside Factorising.substitute: y with a y = b, of a triangle a of up to MOST rows, for each place of the leading axes. Arrays are
   NumPy's objects, wherever their numbers lie; y is in rows, and may be b. from..to: columns, those of the first place first.

   From the last row upwards is from the first one downwards in a matrix whose steps are negative. A number meets the same operations
   whatever columns are beside it, and nothing of a is read but the triangle. */
#pragma GCC optimize("fp-contract=fast")
#pragma clang fp contract(fast)
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define FOR(i, count) for (long i = 0; i < (count); i++)
#ifdef __AVX512F__
enum { BYTES = 64, ROWS = 8 };
#elif defined(__AVX__)
enum { BYTES = 32, ROWS = 4 };
#else
enum { BYTES = 16, ROWS = 4 };
#endif
enum { WIDTH = BYTES / sizeof(REAL), WIDE = 2, STRIP = WIDE * (BYTES / sizeof(REAL)), MOST = 256, DEEP = 32, LARGE = 1 << 21 };       /* LARGE: see products.py */
typedef REAL vector __attribute__((vector_size(BYTES)));
typedef REAL some __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));                   /* as they lie in memory */
typedef struct { char* data; int ndim; long *shape, *strides; void *base, *dtype; int flags; } array;      /* as in NumPy's C interface */
typedef struct { REAL* at; long row, column; } matrix;                                                     /* from one to the next */

INLINE long fewer(long a, long b) { return a < b ? a : b; }
INLINE REAL* of(matrix m, long i, long j) { return m.at + i * m.row + j * m.column; }

/* The matrix at a place of y's leading axes. */
INLINE matrix item(const array* x, const array* y, long place) {
    const long last = x->ndim - 1, size = sizeof(REAL);
    matrix m = {(REAL*)x->data, x->strides[last - 1] / size, x->strides[last] / size};
    for (long axis = last - 2, other = y->ndim - 3; axis >= 0; place /= y->shape[other], axis--, other--)
        m.at += place % y->shape[other] * x->strides[axis] / size;
    return m;
}

/* ------------------------------------------------------------------------------------------------------- one column */
INLINE REAL sum_of(vector v) {
    REAL part[WIDTH];
    __builtin_memcpy(part, &v, sizeof v);
    UNROLL for (int half = WIDTH / 2; half; half /= 2) UNROLL for (int i = 0; i < half; i++) part[i] += part[i + half];
    return part[0];
}

/* A few rows among themselves; WIDTH of them in registers. */
INLINE void corner(matrix a, REAL* y, long step, const long count) {
    REAL v[WIDTH];
    UNROLL for (long i = 0; i < count; i++) v[i] = y[i * step];
    UNROLL for (long j = 0; j < count; j++) {
        y[j * step] = v[j] /= *of(a, j, j);
        UNROLL for (long i = j + 1; i < count; i++) v[i] -= *of(a, i, j) * v[j];
    }
}
INLINE void turned_corner(matrix a, REAL* y, long first, long count, int upper) {
    const long last = first + count - 1, step = upper ? -1 : 1;
    a = upper ? (matrix){of(a, last, last), -a.row, -a.column} : (matrix){of(a, first, first), a.row, a.column};
    if (count == WIDTH) corner(a, y + (upper ? last : first), step, WIDTH);
    else corner(a, y + (upper ? last : first), step, count);
}

/* a lies in rows: from WIDTH of them is taken what their products with all that is known are, which fills whole vectors. */
static void by_rows(matrix a, REAL* y, long n, int upper) {
    for (long known = 0, count; known < n; known += count) {
        count = fewer(WIDTH, n - known);
        const long first = upper ? n - known - count : known, from = upper ? first + count : 0;
        if (known) for (long i = first; i < first + count; i += 4) {
            const REAL *rows[4], *p = y + from;
            vector all[4] = {0};
            UNROLL for (int r = 0; r < 4; r++) rows[r] = of(a, fewer(i + r, first + count - 1), from);
            for (long j = 0; j < known; j += WIDTH) UNROLL for (int r = 0; r < 4; r++) all[r] += *(const some*)(rows[r] + j) * *(const some*)(p + j);
            for (int r = 0; r < 4 && i + r < first + count; r++) y[i + r] -= sum_of(all[r]);
        }
        turned_corner(a, y, first, count, upper);
    }
}

/* a lies in columns: WIDTH of them by what is then known are taken from all other rows, which fill whole vectors. */
static void by_columns(matrix a, REAL* y, long n, int upper) {
    for (long known = 0, count; known < n; known += count) {
        count = (n - known) % WIDTH ? (n - known) % WIDTH : WIDTH;
        const long first = upper ? n - known - count : known, from = upper ? 0 : first + count;
        turned_corner(a, y, first, count, upper);
        for (long i = from, end = from + n - known - count; i < end; i += WIDTH) {
            vector part = {0};
            for (long j = first; j < first + count; j++) part += *(const some*)of(a, i, j) * y[j];
            *(some*)(y + i) -= part;
        }
    }
}

/* --------------------------------------------------------------------------------------------------- several columns */
/* Some rows in registers: first what is known is taken from them, some products together at a time, which is more exact than one by
   one; then each is divided and taken from those after it. */
INLINE void tile(matrix a, REAL* y, long i, const int rows, const int wide) {
    vector v[ROWS][WIDE], *lines = (vector*)y, *own = lines + i * wide;
    const REAL* at = of(a, i, 0);
    for (long p = 0; p < i;) {
        const long end = fewer(p + DEEP, i);
        UNROLL for (int r = 0; r < rows; r++) UNROLL for (int c = 0; c < wide; c++) v[r][c] = (vector){0};
        for (; p < end; p++, at += a.column)
            UNROLL for (int r = 0; r < rows; r++) UNROLL for (int c = 0; c < wide; c++) v[r][c] += at[r * a.row] * lines[p * wide + c];
        UNROLL for (int r = 0; r < rows; r++) UNROLL for (int c = 0; c < wide; c++) own[r * wide + c] -= v[r][c];
    }
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int c = 0; c < wide; c++) v[r][c] = own[r * wide + c];
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int c = 0; c < wide; c++) {
        v[r][c] /= *of(a, i + r, i + r);
        UNROLL for (int s = r + 1; s < rows; s++) v[s][c] -= *of(a, i + s, i + r) * v[r][c];
        own[r * wide + c] = v[r][c];
    }
}
INLINE void tiles(matrix a, REAL* y, long n, const int wide) {
    long i = 0;
    for (; i + ROWS <= n; i += ROWS) tile(a, y, i, ROWS, wide);
    for (; i + 2 <= n; i += 2) tile(a, y, i, 2, wide);
    if (i < n) tile(a, y, i, 1, wide);
}
static void narrow(matrix a, REAL* y, long n) { tiles(a, y, n, 1); }
static void broad(matrix a, REAL* y, long n) { tiles(a, y, n, WIDE); }

/* Up to STRIP columns, side by side in a place of their own. */
static void strip(matrix a, matrix b, matrix y, long n, long columns) {
    REAL room[MOST * STRIP] __attribute__((aligned(64)));
    const long wide = columns > WIDTH ? STRIP : WIDTH;
    FOR(i, n) {
        REAL* to = room + i * wide;
        const REAL* at = of(b, i, 0);
        if (b.column == 1) __builtin_memcpy(to, at, columns * sizeof(REAL));
        else FOR(j, columns) to[j] = at[j * b.column];
        for (long j = columns; j < wide; j++) to[j] = 0;
    }
    (columns > WIDTH ? broad : narrow)(a, room, n);
    FOR(i, n) __builtin_memcpy(of(y, i, 0), room + i * wide, columns * sizeof(REAL));
}

static matrix backwards(matrix m, long n, long columns) { return (matrix){of(m, n - 1, columns ? n - 1 : 0), -m.row, columns ? -m.column : m.column}; }

/* Is no number on the diagonal subnormal? Then such numbers are zeros where they would be in a product as large. */
static int regular(matrix a, long n) {
    const REAL tiny = sizeof(REAL) == 4 ? 0x1p-126 : 0x1p-1022;
    FOR(i, n) if (*of(a, i, i) != 0 && __builtin_fabs(*of(a, i, i)) < tiny) return 0;
    return 1;
}

void substitute(const char* a_, const char* b_, const char* y_, long head, long upper, long from, long to) {
    const array *a = (const array*)(a_ + head), *b = (const array*)(b_ + head), *y = (const array*)(y_ + head);
    const long n = y->shape[y->ndim - 2], k = y->shape[y->ndim - 1];
    for (long i = from, columns; i < to; i += columns) {
        const long j = i % k;
        columns = fewer(fewer(k - j, to - i), STRIP);
        matrix of_a = item(a, y, i / k), of_b = item(b, y, i / k), of_y = item(y, y, i / k);
        const int zeros = n * n * n * k > LARGE && regular(of_a, n);
        before_t before;
        if (zeros) before = flush();
        of_b.at = of(of_b, 0, j), of_y.at = of(of_y, 0, j);
        if (k == 1 && (of_a.column == 1 || of_a.row == 1)) {
            FOR(r, n) of_y.at[r] = *of(of_b, r, 0);
            (of_a.column == 1 ? by_rows : by_columns)(of_a, of_y.at, n, upper);
        } else if (upper) strip(backwards(of_a, n, 1), backwards(of_b, n, 0), backwards(of_y, n, 0), n, columns);
        else strip(of_a, of_b, of_y, n, columns);
        if (zeros) back(before);
    }
}
