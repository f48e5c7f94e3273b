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
#define UNROLL8 _Pragma("GCC unroll 8")
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

/* y = the sum of each of x's rows from..to. Four numbers are added up as they are, and their sums in double; of doubles what is lost at
   a part's end is carried beside the sum. */
enum { FOUR = 4, LANES = 8, PART = 8 * 4 * LANES * FOUR };
typedef double wide __attribute__((vector_size(FOUR * sizeof(double))));
typedef REAL four __attribute__((vector_size(FOUR * sizeof(REAL)), aligned(sizeof(REAL))));
/* a += b; of doubles, what a lost by that is added to `lost`. */
#define ADD(a, b, lost) do { \
    const __typeof__(a) before = a, more = b, sum = before + more, taken = sum - before; \
    if (sizeof(REAL) == sizeof(double)) lost += (before - (sum - taken)) + (more - taken); \
    a = sum; \
} while (0)
#define FOLD(k) UNROLL8 for (int i = 0; i < k; i++) { \
    if (sizeof(REAL) == sizeof(double)) lost[i] += lost[i + k]; \
    ADD(all[i], all[i + k], lost[i]); \
}
void row_totals(REAL* const* x_, REAL* const* y_, long n, long from, long to) {
    for (long row = from; row < to; row++) {
        const REAL *x = *x_ + row * n, *const end = x + n;
        wide all[LANES] = {0}, lost[LANES] = {0};
        while (end - x >= 4 * LANES * FOUR) {
            wide part[LANES] = {0};
            for (const REAL* stop = end - x < PART ? end : x + PART; stop - x >= 4 * LANES * FOUR; x += 4 * LANES * FOUR) {
                const four* v = (const four*)x;
                UNROLL8 for (int k = 0; k < LANES; k++)
                    part[k] += __builtin_convertvector((v[k] + v[k + LANES]) + (v[k + 2 * LANES] + v[k + 3 * LANES]), wide);
            }
            UNROLL8 for (int k = 0; k < LANES; k++) ADD(all[k], part[k], lost[k]);
        }
        for (; end - x >= FOUR; x += FOUR) ADD(all[0], __builtin_convertvector(*(const four*)x, wide), lost[0]);
        FOLD(4) FOLD(2) FOLD(1)
        double total = all[0][0], rest = (lost[0][0] + lost[0][1]) + (lost[0][2] + lost[0][3]);
        UNROLL8 for (int k = 1; k < FOUR; k++) ADD(total, all[0][k], rest);
        for (; x < end; x++) ADD(total, (double)*x, rest);
        (*y_)[row] = __builtin_isfinite(total) ? total + rest : total;
    }
}
