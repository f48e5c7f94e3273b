/* Beside numerics/recurrent.py: the steps of a sequence one after the other, for the sequences from..to of the batch.

   Arrays come as the places where NumPy has their addresses. `steps` has the first row of each step and the one after its last, in
   the order in which they are taken: row low + b is that of sequence b. A state has a row for each sequence, which stays as it is
   where the sequence has no step. What a row becomes does not depend on which others are computed with it. */
#pragma GCC optimize("fp-contract=fast")
#define INLINE static inline __attribute__((always_inline))
#define SIMD _Pragma("omp simd")
typedef REAL vector __attribute__((vector_size(64)));
typedef REAL some __attribute__((vector_size(64), aligned(sizeof(REAL)), may_alias));          /* as they lie in memory */
enum { WIDTH = 64 / sizeof(REAL), PANEL = 2 * WIDTH };
__attribute__((simd("notinbranch"), const)) float tanhf(float);

/* ------------------------------------------------------------------------------------------------------- products */
INLINE REAL* aligned(REAL* p) { return (REAL*)(((unsigned long)p + 63) & ~63ul); }

/* A matrix (K, J) in panels of PANEL columns, zeros where there are no more; `turned` says that w is (J, K). */
void pack(const REAL** w_, REAL** panels, long K, long J, long turned) {
    const REAL* w = *w_;
    REAL* to = aligned(*panels);
    for (long first = 0; first < J; first += PANEL, to += K * PANEL) {
        const long count = J - first < PANEL ? J - first : PANEL;
        for (long k = 0; k < K; k++)
            for (long j = count; j < PANEL; j++) to[k * PANEL + j] = 0;
        if (turned)
            for (long j = 0; j < count; j++)
                for (long k = 0; k < K; k++) to[k * PANEL + j] = w[(first + j) * K + k];
        else
            for (long k = 0; k < K; k++)
                for (long j = 0; j < count; j++) to[k * PANEL + j] = w[k * J + first + j];
    }
}

/* Some rows of a by one panel, added to rows of c. */
#define START(r) vector s##r = {0}, t##r = {0};
#define TERM(r) s##r += a[(r) * lda + k] * u, t##r += a[(r) * lda + k] * v;
#define PUT(r) { \
    REAL* to = c + (r) * ldc; \
    if (count == PANEL) *(some*)to += s##r, *(some*)(to + WIDTH) += t##r; \
    else for (long j = 0; j < count; j++) to[j] += j < WIDTH ? s##r[j] : t##r[j - WIDTH]; \
}
#define BLOCK(name, ROWS) \
static void name(const REAL* a, long lda, const REAL* b, REAL* c, long ldc, long K, long count) { \
    ROWS(START) \
    for (long k = 0; k < K; k++, b += PANEL) { \
        const vector u = *(const vector*)b, v = *(const vector*)(b + WIDTH); \
        ROWS(TERM) \
    } \
    ROWS(PUT) \
}
#define ONE(X) X(0)
#define TWO(X) X(0) X(1)
#define FOUR(X) TWO(X) X(2) X(3)
#define EIGHT(X) FOUR(X) X(4) X(5) X(6) X(7)
BLOCK(one, ONE)
BLOCK(two, TWO)
#ifdef __AVX512F__                                       /* as many rows as there are registers for their sums */
BLOCK(four, FOUR)
BLOCK(eight, EIGHT)
#endif

/* c += a times the packed matrix (K, J). */
static void product(const REAL* a, long lda, const REAL* panels, REAL* c, long ldc, long rows, long K, long J) {
    for (long j = 0; j < J; j += PANEL, panels += K * PANEL) {
        const long count = J - j < PANEL ? J - j : PANEL;
        long r = 0;
#ifdef __AVX512F__
        for (; r + 8 <= rows; r += 8) eight(a + r * lda, lda, panels, c + r * ldc + j, ldc, K, count);
        for (; r + 4 <= rows; r += 4) four(a + r * lda, lda, panels, c + r * ldc + j, ldc, K, count);
#endif
        for (; r + 2 <= rows; r += 2) two(a + r * lda, lda, panels, c + r * ldc + j, ldc, K, count);
        for (; r < rows; r++) one(a + r * lda, lda, panels, c + r * ldc + j, ldc, K, count);
    }
}

/* y = tanh(x): whole vectors only, so that each number meets the same instructions. */
enum { LANES = 64 };
static void tanh_of(const REAL* x, REAL* y, long count) {
    for (; count >= LANES; count -= LANES, x += LANES, y += LANES) { SIMD for (long i = 0; i < LANES; i++) y[i] = tanhf(x[i]); }
    if (count) {
        REAL rest[LANES] = {0};
        __builtin_memcpy(rest, x, count * sizeof(REAL));
        SIMD for (long i = 0; i < LANES; i++) rest[i] = tanhf(rest[i]);
        __builtin_memcpy(y, rest, count * sizeof(REAL));
    }
}

/* The rows of each step that are among from..to: `rows` of them from `low` on; `before` is the step taken before. */
#define STEP(t) \
    const long low = steps[2 * (t)] + from, size_ = steps[2 * (t) + 1] - steps[2 * (t)]; \
    const long rows = (size_ < to ? size_ : to) - from; \
    if (rows <= 0) continue;
#define ZERO(p, count) __builtin_memset(p, 0, (count) * sizeof(REAL))

/* ----------------------------------------------------------------------------------------------------------- LSTM */
void lstm(REAL** z_, REAL** panels_, const REAL** bias_, REAL** hidden_, REAL** cells_, REAL** h_, REAL** c_, const long** steps_,
          long count, long H, long from, long to) {
    const long* steps = *steps_;
    const REAL* bias = *bias_;
    REAL *panels = aligned(*panels_), *h = *h_ + from * H, *state = *c_ + from * H;
    for (long t = 0; t < count; t++) {
        STEP(t)
        REAL *z = *z_ + low * 4 * H, *hidden = *hidden_ + low * H, *cells = *cells_ + low * H;
        product(h, H, panels, z, 4 * H, rows, H, 4 * H);
        for (long b = 0; b < rows; b++) {
            REAL* gates = z + b * 4 * H;
            SIMD for (long j = 0; j < 2 * H; j++) gates[j] = (gates[j] + bias[j]) * (REAL)0.5;
            SIMD for (long j = 2 * H; j < 3 * H; j++) gates[j] += bias[j];
            SIMD for (long j = 3 * H; j < 4 * H; j++) gates[j] = (gates[j] + bias[j]) * (REAL)0.5;
        }
        tanh_of(z, z, rows * 4 * H);
        for (long b = 0; b < rows; b++) {
            const REAL *i = z + b * 4 * H, *f = i + H, *g = f + H;
            REAL *c = state + b * H, *kept = cells + b * H;
            SIMD for (long j = 0; j < H; j++) {
                const REAL now = (f[j] * (REAL)0.5 + (REAL)0.5) * c[j] + (i[j] * (REAL)0.5 + (REAL)0.5) * g[j];
                c[j] = now, kept[j] = now;
            }
        }
        tanh_of(cells, hidden, rows * H);
        for (long b = 0; b < rows; b++) {
            const REAL* o = z + (b * 4 + 3) * H;
            REAL *y = hidden + b * H, *now = h + b * H;
            SIMD for (long j = 0; j < H; j++) {
                const REAL v = y[j] * (o[j] * (REAL)0.5 + (REAL)0.5);
                y[j] = v, now[j] = v;
            }
        }
    }
}

void lstm_back(const REAL** gy, const REAL** c0, REAL** panels_, const REAL** z_, const REAL** cells, REAL** dz_, REAL** dh_, REAL** dc_,
               const long** steps_, long count, long H, long from, long to) {
    const long* steps = *steps_;
    REAL* panels = aligned(*panels_);
    for (long t = count - 1; t >= 0; t--) {
        STEP(t)
        const long before = t ? steps[2 * t - 2] : 0, there = t ? steps[2 * t - 1] - before : 0;
        REAL *dz = *dz_ + low * 4 * H, *dh = *dh_ + from * H;
        for (long b = 0; b < rows; b++) {
            const REAL *i = *z_ + (low + b) * 4 * H, *f = i + H, *g = f + H, *o = g + H, *seeds = *gy + (low + b) * H;
            const REAL* found = from + b < there ? *cells + (before + from + b) * H : *c0 + (from + b) * H;
            REAL *di = dz + b * 4 * H, *df = di + H, *dg = df + H, *d_o = dg + H, *dc = *dc_ + (from + b) * H, *d = dh + b * H;
            tanh_of(*cells + (low + b) * H, d_o, H);
            SIMD for (long j = 0; j < H; j++) {
                const REAL I = i[j] * (REAL)0.5 + (REAL)0.5, F = f[j] * (REAL)0.5 + (REAL)0.5, O = o[j] * (REAL)0.5 + (REAL)0.5, G = g[j];
                const REAL T = d_o[j], pull = d[j] + seeds[j], all = dc[j] + pull * O * (1 - T * T);
                dc[j] = all * F;
                di[j] = all * G * (I - I * I), df[j] = all * found[j] * (F - F * F), dg[j] = all * I * (1 - G * G);
                d_o[j] = pull * T * (O - O * O);
            }
        }
        ZERO(dh, rows * H);
        product(dz, 4 * H, panels, dh, H, rows, 4 * H, H);
    }
}

/* ------------------------------------------------------------------------------------------------------------ GRU */
void gru(REAL** z_, REAL** panels_, const REAL** for_x, const REAL** for_h, REAL** room, REAL** hidden_, REAL** products_, REAL** h_, const long** steps_,
         long count, long H, long from, long to) {
    const long* steps = *steps_;
    REAL *panels = aligned(*panels_), *h_all = *h_ + from * H, *p_all = *room + from * 3 * H;
    for (long t = 0; t < count; t++) {
        STEP(t)
        for (long b = 0; b < rows; b++) __builtin_memcpy(p_all + b * 3 * H, *for_h, 3 * H * sizeof(REAL));
        product(h_all, H, panels, p_all, 3 * H, rows, H, 3 * H);
        for (long b = 0; b < rows; b++) {
            REAL *r = *z_ + (low + b) * 3 * H, *u = r + H, *n = u + H, *h = h_all + b * H, *p = p_all + b * 3 * H, *q = p + 2 * H;
            REAL *y = *hidden_ + (low + b) * H, *kept = *products_ + (low + b) * H;
            const REAL *bias = *for_x, *bias_n = bias + 2 * H;
            SIMD for (long j = 0; j < 2 * H; j++) r[j] = (r[j] + p[j] + bias[j]) * (REAL)0.5;
            tanh_of(r, r, 2 * H);
            SIMD for (long j = 0; j < 2 * H; j++) r[j] = r[j] * (REAL)0.5 + (REAL)0.5;
            SIMD for (long j = 0; j < H; j++) n[j] += r[j] * q[j] + bias_n[j], kept[j] = q[j];
            tanh_of(n, n, H);
            SIMD for (long j = 0; j < H; j++) {
                const REAL now = (h[j] - n[j]) * u[j] + n[j];
                h[j] = now, y[j] = now;
            }
        }
    }
}

void gru_back(const REAL** gy, REAL** panels_, const REAL** z_, const REAL** products_, const REAL** found_, REAL** dz_, REAL** dh_,
              const long** steps_, long count, long H, long from, long to) {
    const long* steps = *steps_;
    REAL* panels = aligned(*panels_);
    for (long t = count - 1; t >= 0; t--) {
        STEP(t)
        REAL *dz = *dz_ + low * 4 * H, *dh = *dh_ + from * H;
        for (long b = 0; b < rows; b++) {
            const REAL *r = *z_ + (low + b) * 3 * H, *u = r + H, *n = u + H, *q = *products_ + (low + b) * H;
            const REAL *found = *found_ + (low + b) * H, *seeds = *gy + (low + b) * H;
            REAL *to_n = dz + b * 4 * H, *to_r = to_n + H, *to_u = to_r + H, *to_q = to_u + H, *d = dh + b * H;
            SIMD for (long j = 0; j < H; j++) {
                const REAL pull = d[j] + seeds[j], N = pull * (1 - u[j]) * (1 - n[j] * n[j]), Q = N * r[j];
                to_n[j] = N, to_q[j] = Q, to_r[j] = Q * q[j] * (1 - r[j]);
                to_u[j] = pull * (found[j] - n[j]) * (u[j] - u[j] * u[j]);
                d[j] = pull * u[j];
            }
        }
        product(dz + H, 4 * H, panels, dh, H, rows, 3 * H, H);
    }
}

/* ------------------------------------------------------------------------------------------------------------ RNN */
void rnn(REAL** hidden_, REAL** panels_, const REAL** bias_, REAL** h_, const long** steps_, long relu, long count, long H, long from, long to) {
    const long* steps = *steps_;
    REAL *panels = aligned(*panels_), *h = *h_ + from * H;
    for (long t = 0; t < count; t++) {
        STEP(t)
        REAL* z = *hidden_ + low * H;
        product(h, H, panels, z, H, rows, H, H);
        for (long b = 0; b < rows; b++) { SIMD for (long j = 0; j < H; j++) z[b * H + j] += (*bias_)[j]; }
        if (relu) { SIMD for (long j = 0; j < rows * H; j++) z[j] = z[j] <= 0 ? 0 : z[j]; }
        else tanh_of(z, z, rows * H);
        __builtin_memcpy(h, z, rows * H * sizeof(REAL));
    }
}

void rnn_back(const REAL** gy_, REAL** panels_, const REAL** hidden_, REAL** dz_, REAL** dh_, const long** steps_, long relu,
              long count, long H, long from, long to) {
    const long* steps = *steps_;
    REAL *panels = aligned(*panels_), *dh = *dh_ + from * H;
    for (long t = count - 1; t >= 0; t--) {
        STEP(t)
        const REAL *y = *hidden_ + low * H, *seeds = *gy_ + low * H;
        REAL* dz = *dz_ + low * H;
        if (relu) { SIMD for (long j = 0; j < rows * H; j++) dz[j] = (dh[j] + seeds[j]) * (y[j] > 0); }
        else { SIMD for (long j = 0; j < rows * H; j++) dz[j] = (dh[j] + seeds[j]) * (1 - y[j] * y[j]); }
        ZERO(dh, rows * H);
        product(dz, H, panels, dh, H, rows, H, H);
    }
}
