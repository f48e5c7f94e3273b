/* Beside softmax and log_softmax of activations/softmaxes.py and the exponentials of numerics/attention.py. Rows are n numbers,
   `inner` of them side by side in memory; from..to are the blocks of n * inner numbers to work on. Arrays come as the places
   where NumPy has their addresses. Sums are carried in float for some numbers and then in double, always in the same order. */
#define INLINE static inline __attribute__((always_inline))
#define SIMD _Pragma("omp simd")
#define BITS(x) (((union { float f; unsigned u; }){x}).u)
#define POWER(k) (((union { unsigned u; float f; }){(unsigned)((k) + 127) << 23}).f)
#define WHOLE 12582912.0f
#define LEAST (-__builtin_inff())
#define FOR(i, count) for (long i = 0; i < (count); i++)
enum { LANES = 16, WIDE = 64, PIECE = 128 * LANES, SHORT = 512 };
double log(double);
__attribute__((simd("notinbranch"), const)) float log1pf(float);

/* e^t for t <= 88, as symbols/c.py has it, to the last subnormal number. */
INLINE float power(float t) {
    t = t < -104 ? -104 : t;
    const float s = __builtin_fmaf(t, 1.4426950408889634f, WHOLE), n = s - WHOLE;
    const float r = __builtin_fmaf(n, 2.12194440e-4f, __builtin_fmaf(n, -0.693359375f, t));
    const int k = (int)(BITS(s) - BITS(WHOLE)), first = k >> 1;
    float y = 0.0013814462581649423f;
    y = __builtin_fmaf(y, r, 0.0083687799051404f), y = __builtin_fmaf(y, r, 0.04166839271783829f);
    y = __builtin_fmaf(y, r, 0.1666651964187622f), y = __builtin_fmaf(y, r, 0.4999999403953552f);
    const float p = POWER(first);
    return __builtin_fmaf(__builtin_fmaf(r * r, y, r), p, p) * POWER(k - first);
}

/* A block as halves, and halves of these, in a register each. */
#define VECTOR(name, count) \
typedef float name __attribute__((vector_size(4 * count))); \
typedef int name##_bits __attribute__((vector_size(4 * count))); \
INLINE name name##_most(name a, name b) { \
    const name##_bits more = a > b; \
    return (name)(((name##_bits)a & more) | ((name##_bits)b & ~more)); \
}
VECTOR(block, 16)
VECTOR(half, 8)
VECTOR(quarter, 4)
typedef union { block all; half halves[2]; float each[LANES]; } lanes;
typedef union { half all; quarter halves[2]; } half_lanes;

INLINE float most_of(block v) {
    const lanes a = {v};
    const half_lanes b = {half_most(a.halves[0], a.halves[1])};
    const quarter c = quarter_most(b.halves[0], b.halves[1]);
    const float d = c[0] > c[2] ? c[0] : c[2], e = c[1] > c[3] ? c[1] : c[3];
    return d > e ? d : e;
}
INLINE float sum_of(block v) {
    const lanes a = {v};
    const half_lanes b = {a.halves[0] + a.halves[1]};
    const quarter c = b.halves[0] + b.halves[1];
    return (c[0] + c[2]) + (c[1] + c[3]);
}

/* a[j..] up to the end of a row, and `rest` after it. */
INLINE block upto(const float* a, long count, float rest) {
    lanes v;
    SIMD FOR(i, LANES) v.each[i] = i < count ? a[i] : rest;
    return v.all;
}
INLINE block at_once(const float* a) {
    block v;
    __builtin_memcpy(&v, a, sizeof v);
    return v;
}

INLINE float peak_of(const float* x, long n) {
    block most = upto(x, n, LEAST), more = most;
    long j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES) {
        const block a = at_once(x + j), b = at_once(x + j + LANES);
        most = block_most(a, most), more = block_most(b, more);
    }
    for (; j < n; j += LANES) { const block a = upto(x + j, n - j, LEAST); most = block_most(a, most); }
    return most_of(block_most(most, more));
}

/* The sum along a row of: e^(a - v), put into y; the same but for numbers equal to v, and how many these are; a b; a. */
enum { POWERS, OTHERS, PRODUCTS, NUMBERS };
INLINE float term(const int what, float a, float b, float v) {
    return what == POWERS ? power(a - v) : what == OTHERS ? (a - v == 0 ? 0 : power(a - v)) : what == PRODUCTS ? a * b : a;
}
INLINE float sum(const int what, const float* a, const float* b, float v, float* y, float* equal, long n) {
    double total = 0;
    for (long j = 0; j < n;) {
        const long end = n - j < PIECE ? n : j + PIECE;
        lanes terms, tops;
        block sums = {0}, counts = {0};
        for (; j < end; j += LANES) {
            const long count = end - j;
            if (count >= LANES) {
                SIMD FOR(i, LANES) terms.each[i] = term(what, a[j + i], b[j + i], v), tops.each[i] = a[j + i] - v == 0;
                if (what == POWERS) __builtin_memcpy(y + j, &terms, sizeof terms);
            } else {
                SIMD FOR(i, LANES) terms.each[i] = i < count ? term(what, a[j + i], b[j + i], v) : 0, tops.each[i] = i < count ? a[j + i] - v == 0 : 0;
                if (what == POWERS) SIMD FOR(i, count) y[j + i] = terms.each[i];
            }
            sums += terms.all;
            if (what == OTHERS) counts += tops.all;
        }
        j = end;
        total += sum_of(sums);
        if (what == OTHERS) *equal += sum_of(counts);
    }
    return total;
}

/* The same for `width` rows side by side, `step` from one of their numbers to the next. */
INLINE void peaks_of(const float* x, long n, long step, long width, float* most) {
    FOR(i, width) most[i] = LEAST;
    FOR(j, n) SIMD FOR(i, width) most[i] = x[j * step + i] > most[i] ? x[j * step + i] : most[i];
}
INLINE void sums(const int what, const float* a, const float* b, const float* v, float* y, float* equal, long n, long step, long width, float* total) {
    double all[WIDE] = {0};
    SIMD FOR(i, WIDE) equal[i] = 0;
    for (long j = 0; j < n;) {
        const long end = n - j < PIECE ? n : j + PIECE;
        float part[WIDE] = {0};
        for (; j < end; j++) SIMD FOR(i, width) {
            const float t = term(what, a[j * step + i], b[j * step + i], v[i]);
            part[i] += t;
            if (what == OTHERS) equal[i] += a[j * step + i] - v[i] == 0;
            if (what == POWERS) y[j * step + i] = t;
        }
        SIMD FOR(i, WIDE) all[i] += part[i];
    }
    SIMD FOR(i, WIDE) total[i] = all[i];
}

/* log(tops + others) for numbers in `count`, a multiple of LANES. */
INLINE void logs(const float* tops, const float* others, float* y, const long count) {
    SIMD FOR(i, count) y[i] = log1pf(others[i] / tops[i]);
    FOR(i, count) if (tops[i] > 1) y[i] += log(tops[i]);
}

#define EACH(i, expression) SIMD FOR(i, n) y[i] = expression;
#define ACROSS(expression) FOR(j, n) SIMD FOR(i, width) { const long at = j * inner + i; y[at] = expression; }
#define OVER(row, rows) \
    for (long k = from; k < to; k++) { \
        const long start = k * n * inner; \
        if (inner == 1) { row } \
        else for (long c = 0; c < inner; c += WIDE) { \
            const long width = inner - c < WIDE ? inner - c : WIDE, first = start + c; \
            float v[WIDE], w[WIDE]; \
            float one[WIDE], two[WIDE]; \
            rows \
        } \
    }

void softmax(float* const* x_, float* const* y_, long n, long inner, long from, long to) {
    OVER(const float* x = *x_ + start; float* y = *y_ + start;
         const float scale = 1 / sum(POWERS, x, x, peak_of(x, n), y, 0, n);
         EACH(i, y[i] * scale),
         const float* x = *x_ + first; float* y = *y_ + first;
         peaks_of(x, n, inner, width, v);
         sums(POWERS, x, x, v, y, two, n, inner, width, one);
         FOR(i, width) w[i] = 1 / one[i];
         ACROSS(y[at] * w[i]))
}

void softmax_backward(float* const* g_, float* const* s_, float* const* y_, long n, long inner, long from, long to) {
    OVER(const float* g = *g_ + start; const float* s = *s_ + start; float* y = *y_ + start;
         const float dot = sum(PRODUCTS, g, s, 0, y, 0, n);
         EACH(i, s[i] * (g[i] - dot)),
         const float* g = *g_ + first; const float* s = *s_ + first; float* y = *y_ + first;
         FOR(i, width) v[i] = 0;
         sums(PRODUCTS, g, s, v, y, two, n, inner, width, one);
         FOR(i, width) w[i] = one[i];
         ACROSS(s[at] * (g[at] - w[i])))
}

/* The largest numbers are exactly 1 each: the others are not lost beside them. */
void log_softmax(float* const* x_, float* const* y_, long n, long inner, long from, long to) {
    if (inner == 1) {
        for (long k = from; k < to;) {                   /* a logarithm for some rows together */
            const long rows = n > SHORT ? 1 : to - k < LANES ? to - k : LANES;
            const float* x = *x_ + k * n;
            float *y = *y_ + k * n, peak[LANES], tops[LANES] = {0}, others[LANES] = {0}, less[LANES];
            FOR(r, rows) {
                peak[r] = peak_of(x + r * n, n);
                others[r] = sum(OTHERS, x + r * n, x + r * n, peak[r], y, tops + r, n);
            }
            logs(tops, others, less, LANES);
            for (long r = 0; r < rows; r++, x += n, y += n) EACH(i, x[i] - peak[r] - less[r])
            k += rows;
        }
        return;
    }
    OVER(,
         const float* x = *x_ + first; float* y = *y_ + first;
         peaks_of(x, n, inner, width, v);
         sums(OTHERS, x, x, v, y, two, n, inner, width, one);
         logs(two, one, w, WIDE);
         ACROSS(x[at] - v[i] - w[i]))
}

void log_softmax_backward(float* const* g_, float* const* s_, float* const* y_, long n, long inner, long from, long to) {
    OVER(const float* g = *g_ + start; const float* s = *s_ + start; float* y = *y_ + start;
         const float total = sum(NUMBERS, g, g, 0, y, 0, n);
         EACH(i, g[i] - power(s[i]) * total),
         const float* g = *g_ + first; const float* s = *s_ + first; float* y = *y_ + first;
         FOR(i, width) v[i] = 0;
         sums(NUMBERS, g, g, v, y, two, n, inner, width, one);
         FOR(i, width) w[i] = one[i];
         ACROSS(g[at] - power(s[at]) * w[i]))
}

/* In place: x becomes e^(x - peak). A row that is all -inf becomes zeros, with the sum 1 and the peak 0. */
void exponentials(float* const* x_, float* const* total, float* const* peak, long n, long from, long to) {
    for (long k = from; k < to; k++) {
        float *x = *x_ + k * n, most = peak_of(x, n);
        most = most == LEAST ? 0 : most;
        const double all = sum(POWERS, x, x, most, x, 0, n);
        (*total)[k] = all == 0 ? 1 : all, (*peak)[k] = most;
    }
}
void again(float* const* x_, float* const* peak, long n, long from, long to) {
    for (long k = from; k < to; k++) {
        float* y = *x_ + k * n;
        EACH(i, power(y[i] - (*peak)[k]))
    }
}
void pulled(float* const* gs, float* const* p_, float* const* dot, long n, long from, long to) {
    for (long k = from; k < to; k++) {
        float* y = *gs + k * n;
        const float* p = *p_ + k * n;
        EACH(i, p[i] * (y[i] - (*dot)[k]))
    }
}
