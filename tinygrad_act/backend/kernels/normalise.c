/* Beside numerics/normalise.py: arrays (N, G, K, L), where the groups of each sample are normalised, or with `batch` (K is 1 then)
   each channel over all samples. from..to are the groups to work on. Arrays come as the places where NumPy has their addresses.

   Sums are carried in REAL for some hundred numbers and then in double, always in the same order. x - mean is x - near - left:
   the mean as far as REAL holds it, and the rest. */
#define INLINE static inline __attribute__((always_inline))
#define SIMD _Pragma("omp simd")
typedef REAL vector __attribute__((vector_size(64)));
typedef REAL some __attribute__((vector_size(64), aligned(sizeof(REAL)), may_alias));          /* as they lie in memory */
enum { WIDTH = 64 / sizeof(REAL), PIECE = 32 * WIDTH, COLUMNS = 64, LINES = 16 };

static double sum_of(vector v) {
    double sums[WIDTH];
    for (long i = 0; i < WIDTH; i++) sums[i] = v[i];
    for (long n = WIDTH / 2; n; n /= 2)
        for (long i = 0; i < n; i++) sums[i] += sums[i + n];
    return sums[0];
}

/* first and second += the sums of what: x; x - near and its square; g w (w null: g) and that times x - near - left. */
enum { PLAIN, SQUARES, SEEDS };
#define TERM(type, a, b, i) { \
    type away = *(const type*)(x + (i)); \
    if (what != PLAIN) away = away - near; \
    if (what == SEEDS) { \
        type v = *(const type*)(g + (i)); \
        if (w) v = v * *(const type*)(w + (i)); \
        a += v, b += v * (away - left); \
    } else { \
        a += away; \
        if (what == SQUARES) b += away * away; \
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
        if (what != PLAIN) *second += sum_of(b + d) + f;
    }
}

/* The mean and variance of a group that lies in `runs` pieces of `length` numbers, `step` apart. Without `mean` none is subtracted. */
INLINE double moments_of(const REAL* x, double* mean, long runs, long length, long step) {
    const double count = runs * length > 0 ? runs * length : 1;
    double total = 0, rest = 0, squares = 0;
    for (long r = 0; mean && r < runs; r++) add(PLAIN, x + r * step, 0, 0, 0, 0, length, &total, 0);
    const REAL near = total / count;
    for (long r = 0; r < runs; r++) add(SQUARES, x + r * step, 0, 0, near, 0, length, &rest, &squares);
    rest /= count;
    if (mean) *mean = near + rest;
    return squares / count - (mean ? rest * rest : 0);
}

INLINE void spread(const REAL* x, REAL* y, long count, REAL near, REAL left, REAL factor, REAL bias) {
    SIMD for (long i = 0; i < count; i++) y[i] = (x[i] - near - left) * factor + bias;
}

INLINE void pull(const REAL* g, const REAL* x, REAL* gx, long count, REAL near, REAL left, REAL factor, REAL rest, REAL bend) {
    SIMD for (long i = 0; i < count; i++) gx[i] = g[i] * factor - rest - (x[i] - near - left) * bend;
}

/* ------------------------------------------------------------------------------------------ the groups of samples */
void normalise(const REAL** x_, const REAL** w_, const REAL** b_, REAL** y_, double** mean_, double** scale_,
               long G, long K, long L, double eps, long from, long to) {
    const REAL *x = *x_ + from * K * L, *w = w_ ? *w_ : 0, *b = b_ ? *b_ : 0;
    REAL* y = *y_ + from * K * L;
    for (long q = from; q < to; q++, x += K * L, y += K * L) {
        double middle = 0;
        const double s = 1 / __builtin_sqrt(moments_of(x, mean_ ? &middle : 0, 1, K * L, 0) + eps);
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

/* scale (v - mean(v) - d scale^2 mean(v d)), where v = g weight and d = x - mean. To `sums`, a row for weight and one for bias, is
   added what these get, if there is a weight; each part of `each` groups has its own. */
void normalise_back(const REAL** g_, const REAL** x_, const REAL** w_, const double** mean_, const double** scale_, REAL** gx_,
                    double** sums_, long G, long K, long L, long each, long from, long to) {
    const REAL *g = *g_ + from * K * L, *x = *x_ + from * K * L, *w = w_ ? *w_ : 0;
    REAL* gx = *gx_ + from * K * L;
    const double count = K * L;
    for (long q = from; q < to; q++, x += K * L, g += K * L, gx += K * L) {
        const double middle = mean_ ? (*mean_)[q] : 0, s = (*scale_)[q];
        const REAL near = middle, left = middle - near, scale = s;
        const REAL* weight = w ? w + q % G * K : 0;
        double *to_weight = w ? *sums_ + (from / each * 2 * G + q % G) * K : 0, *to_bias = to_weight + G * K, across = 0, along = 0;
        if (L == 1 || !w) {
            add(SEEDS, x, g, weight, near, left, K * L, &across, &along);
        } else for (long k = 0; k < K; k++) {
            double total = 0, dots = 0;
            add(SEEDS, x + k * L, g + k * L, 0, near, left, L, &total, &dots);
            across += total * weight[k], along += dots * weight[k];
            to_weight[k] += dots * s, to_bias[k] += total;
        }
        const REAL rest = mean_ ? s * across / count : 0, bend = s * s * s * along / count;
        if (L > 1 || !w) {
            const long pieces = w ? K : 1, length = w ? L : K * L;
            for (long k = 0; k < pieces; k++)
                pull(g + k * length, x + k * length, gx + k * length, length, near, left, w ? scale * weight[k] : scale, rest, bend);
        } else {
            SIMD for (long i = 0; i < K; i++) {
                const REAL d = x[i] - near - left;
                to_weight[i] += g[i] * d * scale, to_bias[i] += g[i];
                gx[i] = g[i] * weight[i] * scale - rest - d * bend;
            }
        }
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
