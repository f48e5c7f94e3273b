/* A convolution of each channel by itself: y from x and w (0), x from y and w (1), w from x and y (2).
   n: the channels from..to of C in N samples, image H W, result OH OW, kernel KH KW, strides, paddings, dilations. */
#pragma GCC optimize("fp-contract=fast")
#pragma clang fp contract(fast)
#define INLINE static inline __attribute__((always_inline))
#define FOR(i, count) for (long i = 0; i < (count); i++)
enum { LANES = 16, TAPS = 256 };
enum { RESULT, IMAGE, KERNEL };
typedef REAL block __attribute__((vector_size(LANES * sizeof(REAL))));
typedef REAL some __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
typedef __typeof__((block){0} < (block){0}) bits;
void* malloc(unsigned long);
void free(void*);

/* ------------------------------------------------------------------------------- whatever the strides: a row and a tap at a time */
INLINE void channel(const int what, REAL* x, REAL* y, REAL* w, const long* n, const long SW) {
    const long C = n[2], H = n[4], W = n[5], OH = n[6], OW = n[7], KH = n[8], KW = n[9];
    double sums[TAPS] = {0};
    for (long sample = 0; sample < n[3]; sample++, x += C * H * W, y += C * OH * OW)
        for (long i = 0; i < OH; i++)
            for (long r = 0; r < KH; r++) {
                const long line = i * n[10] + r * n[14] - n[12];
                if (line < 0 || line >= H) continue;
                for (long c = 0; c < KW; c++) {
                    const long at = c * n[15] - n[13], from = at < 0 ? (SW - 1 - at) / SW : 0;
                    const long room = at < W ? (W - at + SW - 1) / SW : 0, to = room < OW ? room : OW;
                    REAL *from_x = x + line * W + at, *from_y = y + i * OW, k = w[r * KW + c], sum = 0;
                    if (what == RESULT) {
                        #pragma omp simd
                        for (long j = from; j < to; j++) from_y[j] += k * from_x[j * SW];
                    } else if (what == IMAGE) {
                        #pragma omp simd
                        for (long j = from; j < to; j++) from_x[j * SW] += k * from_y[j];
                    } else {
                        #pragma omp simd reduction(+:sum)
                        for (long j = from; j < to; j++) sum += from_y[j] * from_x[j * SW];
                        sums[r * KW + c] += sum;
                    }
                }
            }
    for (long k = 0; what == KERNEL && k < KH * KW; k++) w[k] = sums[k];
}

/* ------------------------------------------------------------------- columns side by side: all taps for a block of them at a time */
typedef struct { long H, W, OH, OW, step, PH, PW, rows, width; } plane;      /* what is read and what is made; what is read, padded */

/* An image is made of a result as a result is of an image: the kernel turned round, and what padding is left. */
INLINE plane plane_of(const int what, const long* n) {
    const long tall = (n[8] - 1) * n[14], wide = (n[9] - 1) * n[15];
    plane p = what == IMAGE ? (plane){n[6], n[7], n[4], n[5], 1, tall - n[12], wide - n[13]} : (plane){n[4], n[5], n[6], n[7], n[10], n[12], n[13]};
    p.rows = (p.OH - 1) * p.step + tall + 1, p.width = p.OW + wide + LANES;
    return p;
}

INLINE void pad(const REAL* x, REAL* room, const plane* p) {
    const long skipped = p->PW < 0 ? -p->PW : 0, left = p->PW > 0 ? p->PW : 0;
    const long there = p->W - skipped, place = p->width - left, count = there < place ? there : place;
    for (long r = 0; r < p->rows; r++, room += p->width) {
        const long line = r - p->PH;
        FOR(c, p->width) room[c] = 0;
        if (line >= 0 && line < p->H) FOR(c, count) room[left + c] = x[line * p->W + skipped + c];
    }
}

INLINE void side_by_side(const int what, REAL* x, REAL* y, REAL* w, const long* n, REAL* room) {
    const plane p = plane_of(what, n);
    const long C = n[2], KH = n[8], KW = n[9], last = KH * KW - 1;
    const REAL* from = what == IMAGE ? y : x;
    REAL* to = what == IMAGE ? x : y;
    double sums[TAPS] = {0};
    for (long sample = 0; sample < n[3]; sample++, from += C * p.H * p.W, to += C * p.OH * p.OW) {
        block parts[TAPS];
        for (long k = 0; what == KERNEL && k <= last; k++) parts[k] = (block){0};
        pad(from, room, &p);
        FOR(i, p.OH) for (long j = 0; j < p.OW; j += LANES) {
            const long count = p.OW - j < LANES ? p.OW - j : LANES;
            const REAL* seen = room + i * p.step * p.width + j;
            REAL* line = to + i * p.OW + j;
            block all = {0};
            bits own;                                     /* infinity behind a line must not meet the zeros there */
            FOR(l, LANES) own[l] = l < count ? -1 : 0;
            if (what == KERNEL && count == LANES) all = *(some*)line;
            else if (what == KERNEL) FOR(l, count) all[l] = line[l];
            FOR(r, KH) FOR(c, KW) {
                const block s = *(const some*)(seen + r * n[14] * p.width + c * n[15]);
                if (what == KERNEL) parts[r * KW + c] += all * (block)((bits)s & own);
                else all += w[what == IMAGE ? last - r * KW - c : r * KW + c] * s;
            }
            if (what != KERNEL && count == LANES) *(some*)line += all;
            else if (what != KERNEL) FOR(l, count) line[l] += all[l];
        }
        for (long k = 0; what == KERNEL && k <= last; k++) FOR(l, LANES) sums[k] += parts[k][l];
    }
    for (long k = 0; what == KERNEL && k <= last; k++) w[k] = sums[k];
}

INLINE void channels(const int what, REAL* x, REAL* y, REAL* w, const long* n) {
    const plane p = plane_of(what, n);
    REAL* room = n[11] == 1 && (what != IMAGE || n[10] == 1) ? malloc((p.rows * p.width + LANES) * sizeof(REAL)) : 0;
    for (long c = n[0]; c < n[1]; c++) {
        REAL *a = x + c * n[4] * n[5], *b = y + c * n[6] * n[7], *k = w + c * n[8] * n[9];
        if (room) side_by_side(what, a, b, k, n, room);
        else if (n[11] == 1) channel(what, a, b, k, n, 1);
        else channel(what, a, b, k, n, n[11]);
    }
    free(room);
}
void result(REAL* x, REAL* y, REAL* w, const long* n) { channels(RESULT, x, y, w, n); }
void image(REAL* x, REAL* y, REAL* w, const long* n) { channels(IMAGE, x, y, w, n); }
void kernel(REAL* x, REAL* y, REAL* w, const long* n) { channels(KERNEL, x, y, w, n); }
