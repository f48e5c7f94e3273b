/* Beside _add_rows of numerics/rowsums.py: v's rows (times factor, if there is one), each added to y's row index[i], one after
   the other; of y only the rows low..high. Arrays come as the places where NumPy has their addresses. */
void add_rows(REAL* const* y_, REAL* const* v_, long* const* index_, REAL* const* factor_, long n, long width, long low, long high) {
    const long* index = *index_;
    for (long i = 0; i < n; i++) {
        if (index[i] < low || index[i] >= high) continue;
        REAL* y = *y_ + index[i] * width;
        const REAL *v = *v_ + i * width, by = factor_ ? (*factor_)[i] : 1;
        #pragma omp simd
        for (long k = 0; k < width; k++) y[k] += v[k] * by;
    }
}

/* y = the sum of all rows of x, of which the columns from..to. A long sum is made of parts: added number by number, each small
   beside the rest, it would lose digits. */
#define UNROLL _Pragma("GCC unroll 4")
typedef REAL vector __attribute__((vector_size(64), aligned(sizeof(REAL))));
enum { DEEP = 256, WIDTH = 64 / sizeof(REAL), SIDE = 4 };
void sum_rows(REAL* const* x_, REAL* const* y_, long n, long width, long from, long to) {
    long j = from;
    for (; j + SIDE * WIDTH <= to; j += SIDE * WIDTH) {
        vector all[SIDE] = {0}, part[SIDE];
        for (long i = 0; i < n; i += DEEP) {
            const REAL *x = *x_ + i * width + j, *end = *x_ + (n - i < DEEP ? n : i + DEEP) * width;
            UNROLL for (int k = 0; k < SIDE; k++) part[k] = (vector){0};
            for (; x < end; x += width) UNROLL for (int k = 0; k < SIDE; k++) part[k] += ((const vector*)x)[k];
            UNROLL for (int k = 0; k < SIDE; k++) all[k] += part[k];
        }
        UNROLL for (int k = 0; k < SIDE; k++) ((vector*)(*y_ + j))[k] = all[k];
    }
    for (; j < to; j += WIDTH) {
        const long columns = to - j < WIDTH ? to - j : WIDTH;
        REAL all[WIDTH] = {0};
        for (long i = 0; i < n; i += DEEP) {
            REAL part[WIDTH] = {0};
            for (const REAL *x = *x_ + i * width + j, *end = *x_ + (n - i < DEEP ? n : i + DEEP) * width; x < end; x += width)
                for (long k = 0; k < columns; k++) part[k] += x[k];
            for (long k = 0; k < columns; k++) all[k] += part[k];
        }
        __builtin_memcpy(*y_ + j, all, columns * sizeof(REAL));
    }
}
