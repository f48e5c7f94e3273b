/* The largest element of each window of a plane and its number in the window, and gradients put back there.
   n: planes, their sizes H W, the result's OH OW, the kernel's KH KW, strides SH SW, paddings PH PW. */
enum { ROOM = 512 };                                     /* windows of a row at a time */

static inline __attribute__((always_inline)) void row(const REAL* x, REAL* y, unsigned char* which, long count, long W, long first, long last,
                                                      long KW, const long SW, long left) {
    int number[ROOM];
    for (long j = 0; j < count; j++) {                   /* the first element that is no padding */
        const long begin = left + j * SW < 0 ? -(left + j * SW) : 0;
        y[j] = x[first * W + left + j * SW + begin], number[j] = first * KW + begin;
    }
    for (long r = first; r < last; r++)
        for (long c = 0; c < KW; c++) {                  /* windows from..to have an element there */
            const long at = left + c, from = at < 0 ? (-at + SW - 1) / SW : 0, room = (W - at + SW - 1) / SW, to = room < count ? room : count;
            const int k = r * KW + c;
            #pragma omp simd
            for (long j = from; j < to; j++) {
                const REAL v = x[r * W + at + j * SW];
                const int newer = (v > y[j]) | (v != v);                     /* NaN is the largest, and the last one counts */
                y[j] = newer ? v : y[j], number[j] = newer ? k : number[j];
            }
        }
    #pragma omp simd
    for (long j = 0; j < count; j++) which[j] = number[j];
}

/* Windows of two by two, side by side: several rows of them before their numbers become bytes. */
enum { MANY = 4096 };
#define LARGER(v, k) { const int newer = (v > best) | (v != v); best = newer ? v : best; found = newer ? k : found; }
static void pairs(const REAL* x, REAL* y, unsigned char* which, long rows, long W, long OW) {
    int number[MANY];
    for (const long most = MANY / OW; rows > 0; rows -= most, which += most * OW) {
        const long now = rows < most ? rows : most;
        for (long i = 0; i < now; i++, x += 2 * W, y += OW) {
            #pragma omp simd
            for (long j = 0; j < OW; j++) {
                REAL best = x[2 * j];
                int found = 0;
                LARGER(x[2 * j + 1], 1) LARGER(x[W + 2 * j], 2) LARGER(x[W + 2 * j + 1], 3)
                y[j] = best, number[i * OW + j] = found;
            }
        }
        #pragma omp simd
        for (long j = 0; j < now * OW; j++) which[j] = number[j];
    }
}

void max_pool(const REAL* x, REAL* y, unsigned char* which, const long* n) {
    const long H = n[1], W = n[2], KH = n[5], KW = n[6], SW = n[8];
    if (KH == 2 && KW == 2 && n[7] == 2 && SW == 2 && !n[9] && !n[10] && H == 2 * n[3] && W >= 2 * n[4] && n[4] <= MANY) {
        pairs(x, y, which, n[0] * n[3], W, n[4]);
        return;
    }
    for (long p = 0; p < n[0]; p++, x += H * W)
        for (long i = 0; i < n[3]; i++, y += n[4], which += n[4]) {
            const long top = i * n[7] - n[9], first = top < 0 ? -top : 0, last = H - top < KH ? H - top : KH;
            for (long j = 0; j < n[4]; j += ROOM) {
                const long count = n[4] - j < ROOM ? n[4] - j : ROOM, left = j * SW - n[10];
                if (SW == 1) row(x + top * W, y + j, which + j, count, W, first, last, KW, 1, left);
                else if (SW == 2) row(x + top * W, y + j, which + j, count, W, first, last, KW, 2, left);
                else row(x + top * W, y + j, which + j, count, W, first, last, KW, SW, left);
            }
        }
}

void max_scatter(const REAL* g, REAL* y, const unsigned char* which, const long* n) {
    long places[256];
    for (long k = 0; k < n[5] * n[6]; k++) places[k] = k / n[6] * n[2] + k % n[6];
    for (long p = 0; p < n[0]; p++, y += n[1] * n[2]) {
        __builtin_memset(y, 0, n[1] * n[2] * sizeof(REAL));
        for (long i = 0; i < n[3]; i++)
            for (long j = 0; j < n[4]; j++)
                y[(i * n[7] - n[9]) * n[2] + j * n[8] - n[10] + places[*which++]] += *g++;
    }
}
