/* Beside the rules of ops/grid_sample.py, of images read linearly: x (N, C, H, W), grid (N, P, 2), y and g (N, C, P). Arrays come as the
   places where NumPy has their addresses. n: C H W P, how the border is read, whether -1 and 1 are centres of elements (corners).

   POINTS samples at a time: where each of the four elements is that are read, whether it is there, and its weight; then channel by
   channel. Every number is added in the same order whatever the ranges are, which are the threads' shares. */
#define INLINE static inline __attribute__((always_inline))
#define SIMD _Pragma("omp simd")
enum { POINTS = 128, ZEROS = 0, EDGE = 1, REFLECTED = 2 };
#define OF(name) _Generic((REAL)0, float: __builtin_##name##f, double: __builtin_##name)

#define ALIGNED __attribute__((aligned(64)))

typedef struct { REAL weight[2], slope[2]; int place[2], there[2]; } tap_t;
typedef struct {
    int at[4][POINTS], there[4][POINTS], all;
    REAL weight[4][POINTS], to_x[4][POINTS], to_y[4][POINTS];                  /* the last two: how the weights change with x and y */
} ALIGNED corners_t;

/* Along an axis of `size` elements, as _taps does it. */
INLINE tap_t tap(REAL coordinate, long size, const int border, long corners) {
    const REAL n = size, last = size - 1, scale = (corners ? last : n) / 2, low = corners ? 0 : -0.5, twice = 4 * scale;
    REAL p = OF(fma)(coordinate + 1, scale, low), slope = scale;              /* for corners a product: 0 adds nothing */
    if (border == REFLECTED) {
        const REAL away = OF(fabs)(p - low), forth = away - OF(floor)(away / twice) * twice, back = twice - forth;
        slope = ((forth > back) ^ (p < low)) ? -slope : slope;
        p = (forth < back ? forth : back) + low;
        p = twice > 0 ? p : 0;
    }
    if (border != ZEROS) {
        const int within = (p > 0) & (p < last);
        slope = within ? slope : 0;
        p = within ? p : p > 0 ? last : 0;
    }
    const REAL floor = OF(floor)(p), share = p - floor;
    const int first = (floor >= 0) & (floor < n), second = (floor >= -1) & (floor < last);
    const int whole = first | second ? (int)floor : 0;       /* of what lies further away C does not say what it would be */
    return (tap_t){{first ? 1 - share : 0, second ? share : 0}, {first ? -slope : 0, second ? slope : 0},
                   {first ? whole : 0, second ? whole + 1 : 0}, {first, second}};
}

INLINE void taps_of(const REAL* grid, long count, const long* n, const int border, const int slopes, corners_t* c) {
    const long H = n[1], W = n[2], corners = n[5];
    int all = 1;
    #pragma omp simd reduction(&: all)
    for (long i = 0; i < count; i++) {
        const tap_t x = tap(grid[2 * i], W, border, corners), y = tap(grid[2 * i + 1], H, border, corners);
        #define CORNER(k, v, h) { \
            c->at[k][i] = y.place[v] * (int)W + x.place[h], c->there[k][i] = y.there[v] & x.there[h], c->weight[k][i] = y.weight[v] * x.weight[h]; \
            if (slopes) c->to_x[k][i] = y.weight[v] * x.slope[h], c->to_y[k][i] = y.slope[v] * x.weight[h]; \
        }
        CORNER(0, 0, 0) CORNER(1, 0, 1) CORNER(2, 1, 0) CORNER(3, 1, 1)
        all &= x.there[0] & x.there[1] & y.there[0] & y.there[1];
    }
    c->all = all;
}

#define TAPS(name, slopes) \
static __attribute__((noinline)) void name(const REAL* grid, long count, const long* n, corners_t* c) { \
    if (n[4] == ZEROS) taps_of(grid, count, n, ZEROS, slopes, c); \
    else if (n[4] == EDGE) taps_of(grid, count, n, EDGE, slopes, c); \
    else taps_of(grid, count, n, REFLECTED, slopes, c); \
}
TAPS(taps, 0)
TAPS(taps_and_slopes, 1)

#define AT(k) (all || c->there[k][i] ? x[c->at[k][i]] : 0)
INLINE void read(const int all, const REAL* x, const corners_t* c, REAL* y, long count) {
    SIMD
    for (long i = 0; i < count; i++)
        y[i] = AT(0) * c->weight[0][i] + AT(1) * c->weight[1][i] + AT(2) * c->weight[2][i] + AT(3) * c->weight[3][i];
}

/* sums[k] += g times what is read at corner k */
INLINE void along(const int all, const REAL* x, const corners_t* c, const REAL* g, REAL sums[4][POINTS], long count) {
    SIMD
    for (long i = 0; i < count; i++) {
        sums[0][i] += g[i] * AT(0), sums[1][i] += g[i] * AT(1);
        sums[2][i] += g[i] * AT(2), sums[3][i] += g[i] * AT(3);
    }
}

/* One corner of all samples after the other: neighbours seldom meet there, so no addition waits for the last. */
INLINE void put(const int all, REAL* x, const corners_t* c, const REAL* g, long count) {
    ALIGNED REAL part[POINTS];
    for (int k = 0; k < 4; k++) {
        SIMD
        for (long i = 0; i < count; i++) part[i] = g[i] * c->weight[k][i];
        for (long i = 0; i < count; i++) if (all || c->there[k][i]) x[c->at[k][i]] += part[i];
    }
}

/* Of blocks from..to, of which each image has `blocks`: where their samples begin, and how many there are. */
#define EACH_BLOCK(taps) \
    const long C = n[0], plane = n[1] * n[2], P = n[3], blocks = (P + POINTS - 1) / POINTS; \
    corners_t c; \
    for (long b = from; b < to; b++) { \
        const long image = b / blocks, first = b % blocks * POINTS, count = P - first < POINTS ? P - first : POINTS; \
        const REAL *x = *x_ + image * C * plane, *grid = *grid_ + (image * P + first) * 2; \
        taps(grid, count, n, &c);

void grid_sample(REAL* const* x_, REAL* const* grid_, REAL* const* y_, long* const* n_, long from, long to) {
    const long* n = *n_;
    EACH_BLOCK(taps)
        REAL* y = *y_ + image * C * P + first;
        for (long k = 0; k < C; k++, x += plane, y += P) c.all ? read(1, x, &c, y, count) : read(0, x, &c, y, count);
    }
}

void grid_sample_grid(REAL* const* g_, REAL* const* x_, REAL* const* grid_, REAL* const* y_, long* const* n_, long from, long to) {
    const long* n = *n_;
    EACH_BLOCK(taps_and_slopes)
        const REAL* g = *g_ + image * C * P + first;
        REAL* y = *y_ + (image * P + first) * 2;
        ALIGNED REAL sums[4][POINTS];
        for (int k = 0; k < 4; k++) for (long i = 0; i < count; i++) sums[k][i] = 0;
        for (long k = 0; k < C; k++, x += plane, g += P) c.all ? along(1, x, &c, g, sums, count) : along(0, x, &c, g, sums, count);
        SIMD
        for (long i = 0; i < count; i++) {
            const REAL one = sums[0][i], two = sums[1][i], three = sums[2][i], four = sums[3][i];
            y[2 * i] = one * c.to_x[0][i] + two * c.to_x[1][i] + three * c.to_x[2][i] + four * c.to_x[3][i];
            y[2 * i + 1] = one * c.to_y[0][i] + two * c.to_y[1][i] + three * c.to_y[2][i] + four * c.to_y[3][i];
        }
    }
}

/* from..to are channels, those of all images counted through. */
void grid_sample_input(REAL* const* g_, REAL* const* grid_, REAL* const* y_, long* const* n_, long from, long to) {
    const long *n = *n_, C = n[0], plane = n[1] * n[2], P = n[3];
    corners_t c;
    __builtin_memset(*y_ + from * plane, 0, (to - from) * plane * sizeof(REAL));
    while (from < to) {
        const long image = from / C, end = (image + 1) * C < to ? (image + 1) * C : to;
        for (long first = 0; first < P; first += POINTS) {
            const long count = P - first < POINTS ? P - first : POINTS;
            taps(*grid_ + (image * P + first) * 2, count, n, &c);
            for (long k = from; k < end; k++) {
                const REAL* g = *g_ + k * P + first;
                c.all ? put(1, *y_ + k * plane, &c, g, count) : put(0, *y_ + k * plane, &c, g, count);
            }
        }
        from = end;
    }
}
