/* Beside numerics/normalise.py: arrays (N, G, K, L), where the groups of each sample are normalised, or with `batch` (K is 1 then)
   each channel over all samples. from..to are the groups to work on. Arrays come as the places where NumPy has their addresses.

   Sums are carried in REAL for some hundred numbers and then in double, always in the same order. x - mean is x - near - left:
   the mean as far as REAL holds it, and the rest. */
#define INLINE static inline __attribute__((always_inline))
#define SIMD _Pragma("omp simd")
typedef REAL vector __attribute__((vector_size(64)));
typedef REAL half __attribute__((vector_size(32)));
typedef REAL quarter __attribute__((vector_size(16)));
typedef REAL some __attribute__((vector_size(64), aligned(sizeof(REAL)), may_alias));          /* as they lie in memory */
enum { WIDTH = 64 / sizeof(REAL), PIECE = 32 * WIDTH, COLUMNS = 64, LINES = 16 };

INLINE double sum_of(vector v) {
    union { vector whole; half halves[2]; } a = {v};
    union { half whole; quarter halves[2]; } b = {a.halves[0] + a.halves[1]};
    const quarter c = b.halves[0] + b.halves[1];
    double total = 0;
    for (long i = 0; i < WIDTH / 4; i++) total += c[i];
    return total;
}

/* first and second += the sums of what: x - near and its square, or g w (w null: g) and that times x - near - left. */
enum { PLAIN, SQUARES, SEEDS };                          /* PLAIN: x alone, down columns */
#define TERM(type, a, b, i) { \
    type away = *(const type*)(x + (i)) - near; \
    if (what == SEEDS) { \
        type v = *(const type*)(g + (i)); \
        if (w) v = v * *(const type*)(w + (i)); \
        a += v, b += v * (away - left); \
    } else { \
        a += away, b += away * away; \
    } \
}
INLINE void add(const int what, const REAL* x, const REAL* g, const REAL* w, REAL near, REAL left, long count, double* first, double* second) {
    for (long i = 0; i < count;) {
        const long end = count - i < PIECE ? count : i + PIECE;
        vector a = {0}, b = {0}, c = {0}, d = {0};
        REAL e = 0, f = 0;
        for (; i + 2 * WIDTH <= end; i += 2 * WIDTH) {
            TERM(some, a, b, i)
            TERM(some, c, d, i + WIDTH)
        }
        for (; i + WIDTH <= end; i += WIDTH) TERM(some, a, b, i)
        for (; i < end; i++) TERM(REAL, e, f, i)
        *first += sum_of(a + c) + e;
        *second += sum_of(b + d) + f;
    }
}

/* The mean and variance of a group that lies in `runs` pieces of `length` numbers, `step` apart. Without `mean` none is subtracted.
   Differences are from what the first numbers are about; if that is further from the mean than the deviation, once more from the mean. */
INLINE double moments_of(const REAL* x, double* mean, long runs, long length, long step) {
    const double count = runs * length > 0 ? runs * length : 1;
    const long few = length < WIDTH ? length : WIDTH;
    REAL near = 0;
    for (long i = 0; mean && i < few; i++) near += x[i] / few;
    for (int again = 0;; again = 1) {
        double rest = 0, squares = 0;
        for (long r = 0; r < runs; r++) add(SQUARES, x + r * step, 0, 0, near, 0, length, &rest, &squares);
        rest /= count, squares /= count;
        if (!mean) return squares;
        const double variance = squares - rest * rest;
        *mean = near + rest;
        if (again || rest * rest <= variance) return variance;
        near = *mean;
    }
}

INLINE void spread(const REAL* x, REAL* y, long count, REAL near, REAL left, REAL factor, REAL bias) {
    SIMD for (long i = 0; i < count; i++) y[i] = (x[i] - near - left) * factor + bias;
}

INLINE void pull(const REAL* g, const REAL* x, REAL* gx, long count, REAL near, REAL left, REAL factor, REAL rest, REAL bend) {
    SIMD for (long i = 0; i < count; i++) gx[i] = g[i] * factor - rest - (x[i] - near - left) * bend;
}

/* ------------------------------------------------------------------------------------------ the groups of samples */
void normalise(const REAL** x_, const REAL** w_, const REAL** b_, REAL** y_, double** mean_, double** scale_, const double** eps,
               long G, long K, long L, long from, long to) {
    const REAL *x = *x_ + from * K * L, *w = w_ ? *w_ : 0, *b = b_ ? *b_ : 0;
    REAL* y = *y_ + from * K * L;
    for (long q = from; q < to; q++, x += K * L, y += K * L) {
        double middle = 0;
        const double s = 1 / __builtin_sqrt(moments_of(x, mean_ ? &middle : 0, 1, K * L, 0) + **eps);
        const REAL near = middle, left = middle - near, scale = s;
        const REAL *weight = w ? w + q % G * K : 0, *bias = b ? b + q % G * K : 0;
        (*scale_)[q] = s;
        if (mean_) (*mean_)[q] = middle;
        if (L > 1 || !w) {
            const long pieces = w ? K : 1, length = w ? L : K * L;
            for (long k = 0; k < pieces; k++)
                spread(x + k * length, y + k * length, length, near, left, w ? scale * weight[k] : scale, b ? bias[k] : 0);
        } else if (b) {
            SIMD for (long i = 0; i < K; i++) y[i] = (x[i] - near - left) * scale * weight[i] + bias[i];
        } else {
            SIMD for (long i = 0; i < K; i++) y[i] = (x[i] - near - left) * scale * weight[i];
        }
    }
}

/* scale (v - mean(v) - d scale^2 mean(v d)), where v = g weight and d = x - mean: what is to be known of a group for that. */
typedef struct { REAL near, left, scale, rest, bend; } group;

INLINE group survey(const REAL* g, const REAL* x, const REAL* w, const double* mean, double s, double* to_weight, double* to_bias, long K, long L) {
    const REAL near = mean ? *mean : 0, left = mean ? *mean - near : 0;
    double across = 0, along = 0;
    if (L == 1 || !w) {
        add(SEEDS, x, g, w, near, left, K * L, &across, &along);
    } else for (long k = 0; k < K; k++) {
        double total = 0, dots = 0;
        add(SEEDS, x + k * L, g + k * L, 0, near, left, L, &total, &dots);
        across += total * w[k], along += dots * w[k];
        to_weight[k] += dots * s, to_bias[k] += total;
    }
    const double share = s / (K * L);
    return (group){near, left, s, mean ? share * across : 0, share * s * s * along};
}

/* Rows with a weight along them: one at a time, or four, so that the sums for weight and bias are read and written less often. */
#define ROW(k) \
    const REAL seed##k = g[i + k * K], d##k = x[i + k * K] - q[k].near - q[k].left; \
    gx[i + k * K] = seed##k * w[i] * q[k].scale - q[k].rest - d##k * q[k].bend;
INLINE void pull_row(const REAL* g, const REAL* x, const REAL* w, REAL* gx, const group* q, double* to_weight, double* to_bias, long K) {
    SIMD for (long i = 0; i < K; i++) {
        ROW(0)
        to_weight[i] += seed0 * d0 * q[0].scale, to_bias[i] += seed0;
    }
}
INLINE void pull_rows(const REAL* g, const REAL* x, const REAL* w, REAL* gx, const group* q, double* to_weight, double* to_bias, long K) {
    SIMD for (long i = 0; i < K; i++) {
        ROW(0) ROW(1) ROW(2) ROW(3)
        to_weight[i] += seed0 * d0 * q[0].scale + seed1 * d1 * q[1].scale + (seed2 * d2 * q[2].scale + seed3 * d3 * q[3].scale);
        to_bias[i] += seed0 + seed1 + (seed2 + seed3);
    }
}

/* To `sums` is added what weight and bias get, a row for each, if there is a weight; each part of `each` groups has rows of its own.
   Where all groups are one part, to_weight and to_bias are it in REAL. */
void normalise_back(const REAL** g_, const REAL** x_, const REAL** w_, const double** mean_, const double** scale_, REAL** gx_, double** sums_,
                    REAL** to_weight, REAL** to_bias, long G, long K, long L, long each, long from, long to) {
    const long size = K * L;
    const REAL *g = *g_ + from * size, *x = *x_ + from * size;
    REAL* gx = *gx_ + from * size;
    double* sums = w_ ? *sums_ + from / each * 2 * G * K : 0;
    for (long q = from, now; q < to; q += now, x += now * size, g += now * size, gx += now * size) {
        const REAL* w = w_ ? *w_ + q % G * K : 0;
        double *first = sums + q % G * K, *second = first + G * K;
        group found[4];
        now = L == 1 && G == 1 && w && to - q >= 4 ? 4 : 1;
        for (long k = 0; k < now; k++)
            found[k] = survey(g + k * size, x + k * size, w, mean_ ? *mean_ + q + k : 0, (*scale_)[q + k], first, second, K, L);
        if (now == 4) pull_rows(g, x, w, gx, found, first, second, K);
        else if (L == 1 && w) pull_row(g, x, w, gx, found, first, second, K);
        else {
            const long pieces = w ? K : 1, length = w ? L : size;
            for (long k = 0; k < pieces; k++)
                pull(g + k * length, x + k * length, gx + k * length, length, found->near, found->left, w ? found->scale * w[k] : found->scale,
                     found->rest, found->bend);
        }
    }
    if (to_weight) {
        SIMD for (long i = 0; i < G * K; i++) (*to_weight)[i] = sums[i], (*to_bias)[i] = sums[G * K + i];
    }
}

/* ------------------------------------------------------------------------------------- channels over the batch */
void moments(const REAL** x_, double** mean, double** variance, long N, long G, long L, long from, long to) {
    for (long q = from; q < to; q++) (*variance)[q] = moments_of(*x_ + q * L, *mean + q, N, L, G * L);
}

void standardise(const REAL** x_, const double** mean, const double** scale, const REAL** w, const REAL** b, REAL** y_,
                 long N, long G, long L, long from, long to) {
    for (long n = 0; n < N; n++)
        for (long q = from; q < to; q++) {
            const REAL near = (*mean)[q], left = (*mean)[q] - near, s = (*scale)[q];
            spread(*x_ + (n * G + q) * L, *y_ + (n * G + q) * L, L, near, left, w ? s * (*w)[q] : s, b ? (*b)[q] : 0);
        }
}

void standardise_back(const REAL** g_, const REAL** x_, const REAL** w, const double** mean, const double** scale, REAL** gx_, double** sums,
                      long N, long G, long L, long from, long to) {
    const double count = N * L > 0 ? N * L : 1;
    for (long q = from; q < to; q++) {
        const double s = (*scale)[q], weight = w ? (*w)[q] : 1;
        const REAL near = (*mean)[q], left = (*mean)[q] - near;
        double total = 0, dots = 0;
        for (long n = 0; n < N; n++) add(SEEDS, *x_ + (n * G + q) * L, *g_ + (n * G + q) * L, 0, near, left, L, &total, &dots);
        (*sums)[q] = dots * s, (*sums)[G + q] = total;
        const REAL factor = s * weight, rest = s * weight * total / count, bend = s * s * s * weight * dots / count;
        for (long n = 0; n < N; n++) {
            const long at = (n * G + q) * L;
            pull(*g_ + at, *x_ + at, *gx_ + at, L, near, left, factor, rest, bend);
        }
    }
}

/* The same where a channel is short: `wide` numbers of a row side by side, from channel q on. The sums over rows of what, as above. */
INLINE void down(const int what, const REAL* x, const REAL* g, const REAL* near, const REAL* left, long N, long row, const long wide,
                 double* first, double* second) {
    for (long from = 0; from < N; from += LINES) {
        REAL a[COLUMNS] = {0}, b[COLUMNS] = {0};
        for (long n = from; n < from + LINES && n < N; n++) {
            const REAL *p = x + n * row, *seeds = g + n * row;
            SIMD for (long i = 0; i < wide; i++) {
                const REAL d = what == PLAIN ? p[i] : what == SQUARES ? p[i] - near[i] : p[i] - near[i] - left[i];
                if (what == SEEDS) a[i] += seeds[i], b[i] += seeds[i] * d;
                else a[i] += d, b[i] += d * d;
            }
        }
        SIMD for (long i = 0; i < wide; i++) first[i] += a[i], second[i] += b[i];
    }
}
#define DOWN(what, g) { \
    if (wide == COLUMNS) down(what, x, g, near, left, N, row, COLUMNS, first, second); \
    else down(what, x, g, near, left, N, row, wide, first, second); \
}
/* For each block of whole channels q..end. `numbers` is what a channel of L columns has in them together. */
#define BLOCKS const long row = G * L, most = COLUMNS / L; \
    for (long q = from, end, wide; q < to && (end = q + most < to ? q + most : to, wide = (end - q) * L, 1); q = end)
static double numbers(const double* columns, long L) {
    double total = 0;
    for (long l = 0; l < L; l++) total += columns[l];
    return total;
}

void short_moments(const REAL** x_, double** mean, double** variance, long N, long G, long L, long from, long to) {
    const double count = N * L > 0 ? N * L : 1;
    BLOCKS {
        const REAL *x = *x_ + q * L, *left = 0;
        double first[COLUMNS] = {0}, second[COLUMNS] = {0};
        REAL near[COLUMNS];
        DOWN(PLAIN, x)
        for (long i = 0; i < wide; i++) near[i] = numbers(first + i / L * L, L) / count;
        for (long i = 0; i < wide; i++) first[i] = second[i] = 0;
        DOWN(SQUARES, x)
        for (long c = 0; c < end - q; c++) {
            const double rest = numbers(first + c * L, L) / count;
            (*mean)[q + c] = near[c * L] + rest, (*variance)[q + c] = numbers(second + c * L, L) / count - rest * rest;
        }
    }
}

void short_standardise(const REAL** x_, const double** mean, const double** scale, const REAL** w, const REAL** b, REAL** y_,
                       long N, long G, long L, long from, long to) {
    BLOCKS {
        REAL near[COLUMNS], left[COLUMNS], factor[COLUMNS], bias[COLUMNS];
        for (long i = 0; i < wide; i++) {
            const long c = q + i / L;
            near[i] = (*mean)[c], left[i] = (*mean)[c] - near[i];
            factor[i] = w ? (REAL)(*scale)[c] * (*w)[c] : (*scale)[c], bias[i] = b ? (*b)[c] : 0;
        }
        for (long n = 0; n < N; n++) {
            const REAL* p = *x_ + n * row + q * L;
            REAL* y = *y_ + n * row + q * L;
            SIMD for (long i = 0; i < wide; i++) y[i] = (p[i] - near[i] - left[i]) * factor[i] + bias[i];
        }
    }
}

void short_standardise_back(const REAL** g_, const REAL** x_, const REAL** w, const double** mean, const double** scale, REAL** gx_,
                            double** sums, long N, long G, long L, long from, long to) {
    const double count = N * L > 0 ? N * L : 1;
    BLOCKS {
        const REAL *x = *x_ + q * L, *g = *g_ + q * L;
        double first[COLUMNS] = {0}, second[COLUMNS] = {0};
        REAL near[COLUMNS], left[COLUMNS], factor[COLUMNS], rest[COLUMNS], bend[COLUMNS];
        for (long i = 0; i < wide; i++) near[i] = (*mean)[q + i / L], left[i] = (*mean)[q + i / L] - near[i];
        DOWN(SEEDS, g)
        for (long i = 0; i < wide; i++) {
            const long c = q + i / L;
            const double s = (*scale)[c], f = w ? s * (*w)[c] : s, total = numbers(first + i / L * L, L), dots = numbers(second + i / L * L, L);
            (*sums)[c] = dots * s, (*sums)[G + c] = total;
            factor[i] = f, rest[i] = f * total / count, bend[i] = f * s * s * dots / count;
        }
        for (long n = 0; n < N; n++) {
            const REAL *p = x + n * row, *seeds = g + n * row;
            REAL* gx = *gx_ + n * row + q * L;
            SIMD for (long i = 0; i < wide; i++) gx[i] = seeds[i] * factor[i] - rest[i] - (p[i] - near[i] - left[i]) * bend[i];
        }
    }
}
