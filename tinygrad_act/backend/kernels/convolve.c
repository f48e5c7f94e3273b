/* Beside numerics/convolve.py: convolutions over two axes (one is two, the first of size 1), some images and rows at a time.

   What the kernel's columns see of the images is written out once for each of them, (channels, columns, rows, images, width), with
   its padding and strides: then what a whole tap sees is one run of memory, and no two products need rows written out again. The
   rows of an image `step` apart follow one another, for strides. A sum is taken in one order, whatever threads there are. */
#pragma GCC optimize("fp-contract=fast")
#pragma clang fp contract(fast)
#define INLINE static inline __attribute__((always_inline))
#ifdef __AVX512F__
enum { BYTES = 64, ROWS = 8 };                           /* as many sums as there are registers for */
#elif defined(__AVX__)
enum { BYTES = 32, ROWS = 4 };
#else
enum { BYTES = 16, ROWS = 4 };
#endif
#define SIMD _Pragma("omp simd")
enum { WIDTH = BYTES / sizeof(REAL), PANEL = 8, TAPS = 6, KINDS = ROWS / 2 };
typedef REAL vector __attribute__((vector_size(BYTES)));
typedef REAL some __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));        /* as they lie in memory */
typedef REAL half __attribute__((vector_size(BYTES / 2), aligned(sizeof(REAL)), may_alias));

typedef struct {
    long C, H, W, image, channel;                        /* of x: channels, sizes, and how far apart images and channels are */
    long O, OH, OW, y_image, y_channel, y_row, y_step;   /* of y */
    long KH, KW, w_result, w_channel, w_row, w_step;     /* of w */
    long SH, SW, PH, PW, DH, DW;                         /* strides, paddings, dilations */
    long by_results;                                     /* are vectors of results, or of columns? */
} shape;
typedef struct { long first, images, row, rows; } part;  /* of y: which images, and which of their rows */

INLINE long least(long a, long b) { return a < b ? a : b; }
INLINE void* aligned(void* p) { return (void*)(((unsigned long)p + 63) & ~63ul); }

/* Copies and zeros from front to back: behind the last number more is touched, of `to` always and of `from` unless it ends there. */
INLINE void copy(REAL* to, const REAL* from, long count, const REAL* end) {
    long i = 0;
    for (; i < count && from + i + WIDTH <= end; i += WIDTH) *(some*)(to + i) = *(const some*)(from + i);
    for (; i < count; i++) to[i] = from[i];
}
/* A copy that touches nothing else: vectors overlap. */
#define OVERLAPPING(kind) { \
    const long wide = sizeof(kind) / sizeof(REAL); \
    for (long i = 0; i + wide < count; i += wide) *(kind*)(to + i) = *(const kind*)(from + i); \
    *(kind*)(to + count - wide) = *(const kind*)(from + count - wide); \
}
INLINE void copy_exactly(REAL* to, const REAL* from, long count) {
    if (count >= WIDTH) OVERLAPPING(some)
    else if (2 * count >= WIDTH) OVERLAPPING(half)
    else for (long i = 0; i < count; i++) to[i] = from[i];
}
INLINE void zero(REAL* to, long count) {
    for (long i = 0; i < count; i += WIDTH) *(volatile some*)(to + i) = (vector){0};    /* or compilers call memset, which takes longer */
}

/* The lines of a channel that the part needs, with their padding. */
static void padded(const REAL* x, REAL* to, long lines, long width, const shape* s, const part* p, const REAL* end) {
    const long left = least(s->PW > 0 ? s->PW : 0, width), skipped = s->PW < 0 ? -s->PW : 0;
    const long count = least(s->W > skipped ? s->W - skipped : 0, width - left), top = p->row * s->SH - s->PH;
    for (long b = 0; b < p->images; b++)
        for (long i = 0; i < lines; i++, to += width) {
            const int there = top + i >= 0 && top + i < s->H;
            zero(to, there ? left : width);
            if (!there) continue;
            copy(to + left, x + b * s->image + (top + i) * s->W + skipped, count, end);
            zero(to + left + count, width - left - count);
        }
}

/* What a column sees: `count` numbers, `step` apart, of each row of each image. */
INLINE void window(REAL* to, const REAL* from, long rows, long row, long images, long image, long count, const long step) {
    for (long r = 0; r < rows; r++, from += row)
        for (long b = 0; b < images; b++, to += count) {
            const REAL* x = from + b * image;
            if (step == 1)
                for (long i = 0; i < count; i += WIDTH) *(some*)(to + i) = *(const some*)(x + i);
            else if (step == 2)                          /* whole vectors here, too: there is room behind the lines */
                for (long i = 0; i < count; i += WIDTH) SIMD for (long l = i; l < i + WIDTH; l++) to[l] = x[2 * l];
            else
                SIMD for (long i = 0; i < count; i++) to[i] = x[i * step];
        }
}

/* What the kernel's columns see of the part, and for each tap where that begins (`taps`). */
static REAL* see(const REAL* x, REAL* room, long* taps, const shape* s, const part* p) {
    const long phases = s->DH > 1 ? s->SH : least(s->SH, s->KH), run = p->images * s->OW;
    const long rows = p->rows + (s->KH - 1) * s->DH / s->SH, plane = phases * rows * run;
    const long lines = rows * s->SH, width = (s->OW - 1) * s->SW + (s->KW - 1) * s->DW + 1;
    const REAL* end = x + (p->images - 1) * s->image + (s->C - 1) * s->channel + s->H * s->W;
    REAL *image = aligned(room + p->images * lines * width + 2 * WIDTH), *to = image;
    for (long i = 0; i < s->KH; i++) {
        const long line = (i * s->DH % s->SH * rows + i * s->DH / s->SH) * run;
        for (long c = 0; c < s->C; c++)
            for (long j = 0; j < s->KW; j++) taps[(c * s->KH + i) * s->KW + j] = (c * s->KW + j) * plane + line;
    }
    for (long c = 0; c < s->C && plane; c++) {
        padded(x + c * s->channel, room, lines, width, s, p, end);
        for (long j = 0; j < s->KW; j++)
            for (long phase = 0; phase < phases; phase++, to += rows * run) {
                const REAL* from = room + phase * width + j * s->DW;
                if (s->SW == 1) window(to, from, rows, s->SH * width, p->images, lines * width, s->OW, 1);
                else if (s->SW == 2) window(to, from, rows, s->SH * width, p->images, lines * width, s->OW, 2);
                else window(to, from, rows, s->SH * width, p->images, lines * width, s->OW, s->SW);
            }
    }
    return image;
}

/* w as panels of results, a row a tap. */
void pack(const REAL** w_, REAL** panels_, const shape* s, long start) {
    const long wide = s->by_results ? 2 * WIDTH : PANEL;
    REAL* to = aligned(*panels_);
    for (long o = 0; o < s->O; o += wide)
        for (long c = 0; c < s->C; c++)
            for (long i = 0; i < s->KH; i++)
                for (long j = 0; j < s->KW; j++, to += wide) {
                    const REAL* w = *w_ + start + o * s->w_result + c * s->w_channel + i * s->w_row + j * s->w_step;
                    for (long r = 0; r < wide; r++) to[r] = o + r < s->O ? w[r * s->w_result] : 0;
                }
}

#define ONE(X) X(0)
#define TWO(X) X(0) X(1)
#define FOUR(X) TWO(X) X(2) X(3)
#define SIX(X) FOUR(X) X(4) X(5)
#define EIGHT(X) SIX(X) X(6) X(7)

/* Some rows of the panel times three vectors of columns, or one, of which `count` numbers are kept. */
#define WIDE_START(r) vector a##r = {0}, b##r = {0}, c##r = {0};
#define WIDE_TERM(r) a##r += w[r] * u, b##r += w[r] * v, c##r += w[r] * t;
#define WIDE_PUT(r) { \
    const REAL start = bias ? bias[r] : 0; \
    some* to = (some*)(y + (r) * pitch); \
    to[0] = a##r + start, to[1] = b##r + start, to[2] = c##r + start; \
}
#define START(r) vector a##r = {0};
#define TERM(r) a##r += w[r] * u;
#define PUT(r) { \
    a##r += bias ? bias[r] : 0; \
    if (count == WIDTH) *(some*)(y + (r) * pitch) = a##r; \
    else for (long i = 0; i < count; i++) y[(r) * pitch + i] = a##r[i]; \
}
#define PRODUCT(name, LINES) \
static void name##_wide(const REAL* w, const REAL* x, const long* taps, long K, const REAL* bias, REAL* y, long pitch) { \
    LINES(WIDE_START) \
    for (long k = 0; k < K; k++, w += PANEL) { \
        const some* from = (const some*)(x + taps[k]); \
        const vector u = from[0], v = from[1], t = from[2]; \
        LINES(WIDE_TERM) \
    } \
    LINES(WIDE_PUT) \
} \
static void name(const REAL* w, const REAL* x, const long* taps, long K, const REAL* bias, REAL* y, long pitch, long count) { \
    LINES(START) \
    for (long k = 0; k < K; k++, w += PANEL) { \
        const vector u = *(const some*)(x + taps[k]); \
        LINES(TERM) \
    } \
    LINES(PUT) \
}
#define ACROSS(name) { \
    long i = 0; \
    for (; i + 3 * WIDTH <= columns; i += 3 * WIDTH) name##_wide(w, image + i, taps, K, bias, y + i, pitch); \
    for (; i < columns; i += WIDTH) name(w, image + i, taps, K, bias, y + i, pitch, least(columns - i, WIDTH)); \
}
PRODUCT(one, ONE)
PRODUCT(two, TWO)
PRODUCT(four, FOUR)
#ifdef __AVX512F__
PRODUCT(eight, EIGHT)
#endif

static void panel(const REAL* w, const REAL* image, const long* taps, long K, long rows, const REAL* bias, REAL* y, long pitch, long columns) {
    for (long r = 0, now; r < rows; r += now, w += now, y += now * pitch, bias = bias ? bias + now : 0) {
        now = rows - r < 2 ? 1 : rows - r < 4 ? 2 : rows - r < 8 || ROWS < 8 ? 4 : 8;
        if (now == 1) ACROSS(one) else if (now == 2) ACROSS(two) else if (now == 4) ACROSS(four)
#ifdef __AVX512F__
        else ACROSS(eight)
#endif
    }
}

/* A part of y; `room` is for what is seen of it, its taps, and a panel of results. */
static void products_by_columns(const REAL* x, const REAL* w, const REAL* bias, REAL* y, void* room, const shape* s, const part* p) {
    const long columns = p->rows * p->images * s->OW, K = s->C * s->KH * s->KW, whole = (columns + WIDTH - 1) / WIDTH * WIDTH;
    const int straight = p->images == 1 && s->y_step == 1 && s->y_row == s->OW;
    REAL* results = room;
    long* taps = (long*)(results + (straight ? 0 : PANEL * whole));
    const REAL* image = see(x + p->first * s->image, aligned(taps + K), taps, s, p);
    y += p->first * s->y_image + p->row * s->y_row;
    for (long o = 0; o < s->O; o += PANEL, w += K * PANEL) {
        const long rows = least(s->O - o, PANEL);
        REAL* to = y + o * s->y_channel;
        panel(w, image, taps, K, rows, bias ? bias + o : 0, straight ? to : results, straight ? s->y_channel : whole, columns);
        for (long r = 0; r < rows && !straight; r++) {
            const REAL* from = results + r * whole;
            for (long i = 0; i < p->rows; i++)
                for (long b = 0; b < p->images; b++, from += s->OW) {
                    REAL* line = to + r * s->y_channel + b * s->y_image + i * s->y_row;
                    if (s->y_step == 1) copy_exactly(line, from, s->OW);
                    else for (long j = 0; j < s->OW; j++) line[j * s->y_step] = from[j];
                }
        }
    }
}

/* ------------------------------------------------------------------------------------ the gradient of the kernel */
#ifdef __AVX512F__
#define KIND(X) FOUR(X)
#else
#define KIND(X) TWO(X)
#endif
typedef REAL quarter __attribute__((vector_size(16)));
INLINE REAL sum_of(vector v) {
    union { vector whole; quarter parts[BYTES / 16]; } a = {v};
    quarter b = a.parts[0];
    if (BYTES == 32) b += a.parts[1];
    if (BYTES == 64) b = (b + a.parts[1]) + (a.parts[2] + a.parts[3]);
    return sizeof(REAL) == 8 ? b[0] + b[1] : (b[0] + b[1]) + (b[2] + b[3]);
}

#define SUMS(r) vector a##r = {0}, b##r = {0}, c##r = {0}, d##r = {0}, e##r = {0}, f##r = {0};
#define LOAD(r) const vector g##r = *(const some*)(g + (r) * pitch + i);
#define ADD_A(r) a##r += g##r * t;
#define ADD_B(r) b##r += g##r * t;
#define ADD_C(r) c##r += g##r * t;
#define ADD_D(r) d##r += g##r * t;
#define ADD_E(r) e##r += g##r * t;
#define ADD_F(r) f##r += g##r * t;
#define TAP(k, ADD) { const vector t = SEEN(x##k); KIND(ADD) }
#define STEP { KIND(LOAD) TAP(0, ADD_A) TAP(1, ADD_B) TAP(2, ADD_C) TAP(3, ADD_D) TAP(4, ADD_E) TAP(5, ADD_F) }
#define KEEP(r) sums[r][0] = sum_of(a##r), sums[r][1] = sum_of(b##r), sums[r][2] = sum_of(c##r), \
                sums[r][3] = sum_of(d##r), sums[r][4] = sum_of(e##r), sums[r][5] = sum_of(f##r);

/* The products of KINDS rows of g and what TAPS taps see. Behind the columns g has zeros; what lies there of x may be anything. */
static void dots(const REAL* g, long pitch, const REAL* x, const long* taps, long columns, REAL sums[KINDS][TAPS]) {
    const REAL *x0 = x + taps[0], *x1 = x + taps[1], *x2 = x + taps[2], *x3 = x + taps[3], *x4 = x + taps[4], *x5 = x + taps[5];
    long i = 0;
    KIND(SUMS)
#define SEEN(x) *(const some*)(x + i)
    for (; i + WIDTH <= columns; i += WIDTH) STEP
#undef SEEN
    if (i < columns) {
        union { unsigned char bytes[BYTES]; __typeof__((vector){0} < (vector){0}) mask; } left;
        for (long k = 0; k < BYTES; k++) left.bytes[k] = k < (columns - i) * (long)sizeof(REAL) ? 255 : 0;
#define SEEN(x) (vector)((__typeof__(left.mask))*(const some*)(x + i) & left.mask)
        STEP
    }
    KIND(KEEP)
}

/* Adds to w what the part gives; `room` is for g, what is seen of x, and its taps. */
static void add_by_columns(const REAL* x, const REAL* lines, REAL* w, void* room, const shape* s, const part* p) {
    const long columns = p->rows * p->images * s->OW, K = s->C * s->KH * s->KW;
    const int straight = p->images == 1 && columns % WIDTH == 0;
    const long pitch = straight ? s->y_channel : (columns + WIDTH - 1) / WIDTH * WIDTH;
    const REAL* g = straight ? lines + p->first * s->y_image + p->row * s->OW : room;
    long* taps = (long*)((REAL*)room + (straight ? 0 : s->O * pitch));
    lines += p->first * s->y_image + p->row * s->OW;
    const REAL* end = lines + (p->images - 1) * s->y_image + (s->O - 1) * s->y_channel + p->rows * s->OW;
    for (long o = 0; o < s->O && !straight; o++) {
        REAL* to = (REAL*)g + o * pitch;
        for (long i = 0; i < p->rows; i++)
            for (long b = 0; b < p->images; b++, to += s->OW) copy(to, lines + b * s->y_image + o * s->y_channel + i * s->OW, s->OW, end);
        for (long i = columns; i < pitch; i++) *to++ = 0;
    }
    const REAL* image = see(x + p->first * s->image, aligned(taps + K + TAPS), taps, s, p);
    for (long k = K; k < K + TAPS; k++) taps[k] = 0;
    for (long o = 0; o < s->O; o += s->O < KINDS ? 1 : KINDS) {
        const long at = s->O < KINDS ? o : least(o, s->O - KINDS);             /* the last rows may be computed twice, not added */
        for (long k = 0; k < K; k += TAPS) {
            REAL sums[KINDS][TAPS];
            dots(g + at * pitch, s->O < KINDS ? 0 : pitch, image, taps + k, columns, sums);
            for (long r = o - at; r < (s->O < KINDS ? 1 : KINDS); r++)
                for (long t = 0; t < TAPS && k + t < K; t++) w[(at + r) * s->w_result + k + t] += sums[r][t];
        }
    }
}

/* ------------------------------------------------------------------------------------------------------------ */
#include "results.c"

void convolve(const REAL** x, const REAL** panels, const REAL** bias, REAL** y, void** room, const shape* s, const part* parts, long count,
              long x_start, long y_start, long bias_start) {
    for (long i = 0; i < count; i++)
        (s->by_results ? products_by_results : products_by_columns)(
            *x + x_start, aligned((void*)*panels), bias ? *bias + bias_start : 0, *y + y_start, aligned(*room), s, parts + i);
}

void kernel(const REAL** x, const REAL** g, REAL** w, void** room, const shape* s, const part* parts, long count, long x_start, long g_start, long w_start) {
    if (s->by_results) add_by_results(*x + x_start, *g + g_start, *w + w_start, aligned(*room), s, parts, count);
    else for (long i = 0; i < count; i++) add_by_columns(*x + x_start, *g + g_start, *w + w_start, aligned(*room), s, parts + i);
}
