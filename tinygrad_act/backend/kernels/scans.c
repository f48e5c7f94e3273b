/* Beside numerics/scan.py: what runs along an axis, in lanes of n numbers that lie `step` apart. Sums and products are carried in
   double, and each is rounded once.

   Arrays come as the places where NumPy has their addresses, in one piece as (outer, n, inner), or turned round along n (back). Lanes
   are taken ROWS at a time where the axis is the last, for one number waits for the one before it; else as many as WIDE neighbours. */
enum { ROWS = 8, WIDE = 16 };
#define INLINE static inline __attribute__((always_inline))

/* NAME(x, a, y, places, n, step, apart, count): `count` lanes that lie `apart`. BEGIN and NEXT are for one number, at `i` of lane `k`. */
#define LANES(NAME, CARRIED, BEGIN, NEXT) \
INLINE void NAME##_lanes(const REAL* x, const REAL* a, REAL* y, long* places, long n, long step, long apart, long count) { \
    CARRIED carried[WIDE]; \
    long place[WIDE]; \
    _Pragma("omp simd") for (long k = 0; k < count; k++) { const long at = k * apart; BEGIN } \
    for (long i = 1; i < n; i++) { \
        x += step, y += step, a += step, places += step; \
        _Pragma("GCC unroll 16") for (long k = 0; k < count; k++) { const long at = k * apart; NEXT } \
    } \
} \
static void NAME##_all(const REAL* x, const REAL* a, REAL* y, long* places, long n, long inner, long back, long outer, long from, long to) { \
    const long blocks = (inner + WIDE - 1) / WIDE, step = back ? -inner : inner; \
    for (long unit = from; unit < to; unit++) { \
        const long first = inner == 1 ? unit * ROWS : unit % blocks * WIDE, at = inner == 1 ? first * n : unit / blocks * n * inner + first; \
        const long left = (inner == 1 ? outer : inner) - first; \
        if (inner > 1 && left >= WIDE) NAME##_lanes(x + at, a + at, y + at, places + at, n, step, 1, WIDE); \
        else if (inner > 1) NAME##_lanes(x + at, a + at, y + at, places + at, n, step, 1, left); \
        else if (left >= ROWS) NAME##_lanes(x + at, a + at, y + at, places + at, n, back ? -1 : 1, n, ROWS); \
        else for (long k = 0; k < left; k++) { \
            const long row = at + k * n; \
            NAME##_lanes(x + row, a + row, y + row, places + row, n, back ? -1 : 1, n, 1); \
        } \
    } \
}

#define BEGUN y[at] = carried[k] = x[at];
LANES(cumsum, double, BEGUN, y[at] = carried[k] += x[at];)
LANES(cumprod, double, BEGUN, y[at] = carried[k] *= x[at];)
LANES(linear_scan, double, BEGUN, y[at] = carried[k] = a[at] * carried[k] + x[at];)
/* The last of equal ones, and once there is a NaN, the last NaN. */
#define EXTREME(NAME, RELATION) \
LANES(NAME, REAL, y[at] = carried[k] = x[at]; places[at] = place[k] = 0;, \
      const REAL v = x[at]; \
      const int better = v RELATION carried[k] || v != v; \
      y[at] = carried[k] = better ? v : carried[k]; \
      places[at] = place[k] = better ? i : place[k];)
EXTREME(cummax, >=)
EXTREME(cummin, <=)

void cumsum(REAL* const* x, REAL* const* y, long n, long inner, long back, long outer, long from, long to) {
    cumsum_all(*x, *x, *y, 0, n, inner, back, outer, from, to);
}
void cumprod(REAL* const* x, REAL* const* y, long n, long inner, long back, long outer, long from, long to) {
    cumprod_all(*x, *x, *y, 0, n, inner, back, outer, from, to);
}
void linear_scan(REAL* const* a, REAL* const* x, REAL* const* y, long n, long inner, long back, long outer, long from, long to) {
    linear_scan_all(*x, *a, *y, 0, n, inner, back, outer, from, to);
}
void cummax(REAL* const* x, REAL* const* y, long* const* places, long n, long inner, long back, long outer, long from, long to) {
    cummax_all(*x, *x, *y, *places, n, inner, back, outer, from, to);
}
void cummin(REAL* const* x, REAL* const* y, long* const* places, long n, long inner, long back, long outer, long from, long to) {
    cummin_all(*x, *x, *y, *places, n, inner, back, outer, from, to);
}
