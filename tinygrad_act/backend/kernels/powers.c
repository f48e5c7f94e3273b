/* What softmax.c and attention.c share: e^t, and the peak and the sums of a row of numbers. Sums are carried in float for some
   numbers and then in double, always in the same order. */
#define INLINE static inline __attribute__((always_inline))
#define SIMD _Pragma("omp simd")
#define BITS(x) (((union { float f; unsigned u; }){x}).u)
#define POWER(k) (((union { unsigned u; float f; }){(unsigned)((k) + 127) << 23}).f)
#define WHOLE 12582912.0f
#define LEAST (-__builtin_inff())
#define FOR(i, count) for (long i = 0; i < (count); i++)
enum { LANES = 16, PIECE = 128 * LANES };

/* e^t for t <= 88, as symbols/c.py has it, to the last subnormal number. Below, and where a mask says -inf, it is 0 by a choice: a
   product too small for a float takes the processor a hundred times as long. */
INLINE float power(float t) {
    const int none = t < -104;
    t = none ? 0 : t;
    const float s = __builtin_fmaf(t, 1.4426950408889634f, WHOLE), n = s - WHOLE;
    const float r = __builtin_fmaf(n, 2.12194440e-4f, __builtin_fmaf(n, -0.693359375f, t));
    const int k = (int)(BITS(s) - BITS(WHOLE)), first = k >> 1;
    float y = 0.0013814462581649423f;
    y = __builtin_fmaf(y, r, 0.0083687799051404f), y = __builtin_fmaf(y, r, 0.04166839271783829f);
    y = __builtin_fmaf(y, r, 0.1666651964187622f), y = __builtin_fmaf(y, r, 0.4999999403953552f);
    const float p = none ? 0 : POWER(first);
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

