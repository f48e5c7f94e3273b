/* The largest element of each window of a plane and its number in the window, and gradients put back there; the average of each window,
   and gradients spread over it. Arrays come as the places where NumPy has their addresses; from..to are the planes to work on.
   n: a plane's sizes H W, the result's OH OW, the kernel's KH KW, strides SH SW, paddings PH PW. */
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

void max_pool(REAL* const* x_, REAL* const* y_, unsigned char* const* which_, const long* n, long from, long to) {
    const long H = n[0], W = n[1], OH = n[2], OW = n[3], KH = n[4], KW = n[5], SH = n[6], SW = n[7], PH = n[8], PW = n[9];
    const REAL* x = *x_ + from * H * W;
    REAL* y = *y_ + from * OH * OW;
    unsigned char* which = *which_ + from * OH * OW;
    if (KH == 2 && KW == 2 && SH == 2 && SW == 2 && !PH && !PW && H == 2 * OH && W >= 2 * OW && OW <= MANY) {
        pairs(x, y, which, (to - from) * OH, W, OW);
        return;
    }
    for (long p = from; p < to; p++, x += H * W)
        for (long i = 0; i < OH; i++, y += OW, which += OW) {
            const long top = i * SH - PH, first = top < 0 ? -top : 0, last = H - top < KH ? H - top : KH;
            for (long j = 0; j < OW; j += ROOM) {
                const long count = OW - j < ROOM ? OW - j : ROOM, left = j * SW - PW;
                if (SW == 1) row(x + top * W, y + j, which + j, count, W, first, last, KW, 1, left);
                else if (SW == 2) row(x + top * W, y + j, which + j, count, W, first, last, KW, 2, left);
                else row(x + top * W, y + j, which + j, count, W, first, last, KW, SW, left);
            }
        }
}

void max_scatter(REAL* const* g_, REAL* const* y_, unsigned char* const* which_, const long* n, long from, long to) {
    const long H = n[0], W = n[1], OH = n[2], OW = n[3], KH = n[4], KW = n[5];
    const REAL* g = *g_ + from * OH * OW;
    const unsigned char* which = *which_ + from * OH * OW;
    REAL* y = *y_ + from * H * W;
    long places[256];
    for (long k = 0; k < KH * KW; k++) places[k] = k / KW * W + k % KW;
    for (long p = from; p < to; p++, y += H * W) {
        __builtin_memset(y, 0, H * W * sizeof(REAL));
        for (long i = 0; i < OH; i++)
            for (long j = 0; j < OW; j++)
                y[(i * n[6] - n[8]) * W + j * n[7] - n[9] + places[*which++]] += *g++;
    }
}

/* How many elements window o has along an axis; with `padded` also those of the padding. */
static long within(long o, const long* n, long axis, long padded) {
    const long start = o * n[6 + axis] - n[8 + axis], end = start + n[4 + axis], most = n[axis] + (padded ? n[8 + axis] : 0);
    return (end < most ? end : most) - (padded || start > 0 ? start : 0);
}

/* `count` windows' elements of one line of the plane, added to their sums; or `back`, what each has to give to them. */
static inline __attribute__((always_inline)) void line(const int back, REAL* x, REAL* sums, long count, long W, long KW, const long SW, long left) {
    for (long c = 0; c < KW; c++) {                      /* windows from..to have an element there */
        const long at = left + c, from = at < 0 ? (-at + SW - 1) / SW : 0, room = (W - at + SW - 1) / SW, to = room < count ? room : count;
        #pragma omp simd
        for (long j = from; j < to; j++)
            if (back) x[at + j * SW] += sums[j];
            else sums[j] += x[at + j * SW];
    }
}

/* The same of two lines for windows of two by two, side by side. */
static inline __attribute__((always_inline)) void squares(const int back, REAL* x, REAL* y, long count, long W, REAL by) {
    #pragma omp simd
    for (long j = 0; j < count; j++) {
        REAL *above = x + 2 * j, *below = above + W;
        if (back) above[0] = above[1] = below[0] = below[1] = y[j] / by;
        else y[j] = ((above[0] + below[0]) + (above[1] + below[1])) / by;
    }
}

/* x are the planes, y their averages; each is divided by `divisor`, or if that is 0 by how many elements it has. */
static inline __attribute__((always_inline)) void averages(const int back, REAL* const* x_, REAL* const* y_, const long* n, long divisor, long padded, long from, long to) {
    const long H = n[0], W = n[1], OH = n[2], OW = n[3], KH = n[4], KW = n[5], SH = n[6], SW = n[7], PH = n[8], PW = n[9];
    const long end = (OW - 1) * SW - PW + KW, even = padded ? end <= W + PW : !PW && end <= W;       /* windows of a line are of one size */
    const int square = KH == 2 && KW == 2 && SH == 2 && SW == 2 && !PH && !PW && H >= 2 * OH && W >= 2 * OW;
    REAL *x = *x_ + from * H * W, *y = *y_ + from * OH * OW;
    for (long p = from; p < to; p++, x += H * W) {
        if (back && !(square && H == 2 * OH && W == 2 * OW)) __builtin_memset(x, 0, H * W * sizeof(REAL));
        for (long i = 0; i < OH; i++, y += OW) {
            if (square) {
                squares(back, x + 2 * i * W, y, OW, W, divisor ? divisor : 4);
                continue;
            }
            const long top = i * SH - PH, first = top < 0 ? 0 : top, last = top + KH < H ? top + KH : H, rows = within(i, n, 0, padded);
            for (long start = 0; start < OW; start += ROOM) {
                const long count = OW - start < ROOM ? OW - start : ROOM, left = start * SW - PW;
                REAL sums[ROOM], by[ROOM], *const part = y + start;
                for (long j = 0; j < count; j++) by[j] = divisor ? divisor : rows * (even ? KW : within(start + j, n, 1, padded));
                #pragma omp simd
                for (long j = 0; j < count; j++) sums[j] = back ? part[j] / by[j] : 0;
                for (long r = first; r < last; r++) {
                    if (SW == 1) line(back, x + r * W, sums, count, W, KW, 1, left);
                    else if (SW == 2) line(back, x + r * W, sums, count, W, KW, 2, left);
                    else line(back, x + r * W, sums, count, W, KW, SW, left);
                }
                #pragma omp simd
                for (long j = 0; j < count * !back; j++) part[j] = sums[j] / by[j];
            }
        }
    }
}
void avg_pool(REAL* const* x_, REAL* const* y_, const long* n, long divisor, long padded, long from, long to) {
    averages(0, x_, y_, n, divisor, padded, from, to);
}
void avg_spread(REAL* const* x_, REAL* const* y_, const long* n, long divisor, long padded, long from, long to) {
    averages(1, x_, y_, n, divisor, padded, from, to);
}
