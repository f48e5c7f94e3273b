/* A convolution of each channel by itself: y from x and w (0), x from y and w (1), w from x and y (2).
   n: the channels from..to of C in N samples, image H W, result OH OW, kernel KH KW, strides, paddings, dilations; and whether to add to
   what is there. A plane is padded once, its columns in as many parts as the stride, so that what a tap sees of a row lies in one piece;
   then all taps are taken for a block of columns at a time. */
#pragma GCC optimize("fp-contract=fast")
#pragma clang fp contract(fast)
#define INLINE static inline __attribute__((always_inline))
#define FOR(i, count) for (long i = 0; i < (count); i++)
enum { LANES = 16, TAPS = 256, ROWS = 4 };
enum { RESULT, IMAGE, KERNEL };
typedef REAL block __attribute__((vector_size(LANES * sizeof(REAL))));
typedef REAL some __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
typedef __typeof__((block){0} < (block){0}) bits;
typedef double wide __attribute__((vector_size(LANES * sizeof(double))));
void* calloc(unsigned long, unsigned long);
void free(void*);

typedef struct { long C, N, H, W, OH, OW, KH, KW, SH, SW, PH, PW, DH, DW, add; } shape;
typedef struct { long H, W, top, left, rows, parts, width; } plane;      /* what is read, its padding, and how it is laid out */

INLINE REAL* row_of(REAL* room, const plane* p, long r) { return room + r * p->parts * p->width; }

/* A plane into its room, which has zeros already where padding is: column c of the padded plane is number c / parts of part c % parts. */
INLINE void copy(REAL* to, const REAL* from, long count) {
    long c = 0;
    for (; c + LANES <= count; c += LANES) *(some*)(to + c) = *(const some*)(from + c);
    if (c + LANES / 2 <= count) __builtin_memcpy(to + c, from + c, LANES / 2 * sizeof(REAL)), c += LANES / 2;
    for (; c < count; c++) to[c] = from[c];
}
INLINE void lay(const REAL* x, REAL* to, long count, long left, const long parts, long width) {
    FOR(part, parts) {
        const long first = (part - left % parts + parts) % parts, most = count > first ? (count - first + parts - 1) / parts : 0;
        REAL* line = to + part * width + (left + first) / parts;
        FOR(c, most) line[c] = x[first + c * parts];
    }
}
INLINE void pad(const REAL* x, REAL* room, const plane* p) {
    const long skipped = p->left < 0 ? -p->left : 0, left = p->left > 0 ? p->left : 0;
    const long there = p->W - skipped, place = p->parts * p->width - left, count = there < place ? there : place;
    for (long r = p->top > 0 ? p->top : 0; r < p->rows && r - p->top < p->H; r++) {
        const REAL* from = x + (r - p->top) * p->W + skipped;
        REAL* to = row_of(room, p, r);
        if (p->parts == 1) copy(to + left, from, count);
        else if (p->parts == 2) lay(from, to, count, left, 2, p->width);
        else lay(from, to, count, left, p->parts, p->width);
    }
}

/* The sums of all taps for blocks of columns of some rows; `at` says where what each sees of them begins. Behind a line it may see anything. */
INLINE void sum(const REAL* seen, long pitch, const int rows, const REAL* w, const long* at, long taps, block* all) {
    block kept[ROWS] = {{0}};
    FOR(k, taps) {
        const REAL* from = seen + at[k];
        for (int i = 0; i < rows; i++) kept[i] += w[k] * *(const some*)(from + i * pitch);
    }
    for (int i = 0; i < rows; i++) all[i] = kept[i];
}
INLINE void put(REAL* to, block all, long count, const long apart, long add) {
    if (apart == 1 && count == LANES) *(some*)to = add ? all + *(some*)to : all;
    else if (apart == 1 && 2 * count == LANES && !add) __builtin_memcpy(to, &all, sizeof all / 2);
    else FOR(l, count) to[l * apart] = add ? to[l * apart] + all[l] : all[l];
}

/* All of a plane's lines, `lines` of `columns` numbers, `apart` from one to the next, and `pitch` from line to line; what is seen of them likewise. */
INLINE void products(const REAL* seen, long seen_pitch, REAL* to, long pitch, long lines, long columns, const long apart,
                     const REAL* w, const long* at, long taps, long add) {
    for (long i = 0; i < lines;) {
        const int rows = lines - i < ROWS ? 1 : ROWS;
        for (long j = 0; j < columns; j += LANES) {
            block all[ROWS];
            if (rows == 1) sum(seen + j, seen_pitch, 1, w, at, taps, all);
            else sum(seen + j, seen_pitch, ROWS, w, at, taps, all);
            for (int k = 0; k < rows; k++) put(to + k * pitch + j * apart, all[k], columns - j < LANES ? columns - j : LANES, apart, add);
        }
        i += rows, seen += rows * seen_pitch, to += rows * pitch;
    }
}

INLINE plane plane_of_image(const shape* s) {
    const long tall = (s->KH - 1) * s->DH, wide = (s->KW - 1) * s->DW;
    return (plane){s->H, s->W, s->PH, s->PW, (s->OH - 1) * s->SH + tall + 1, s->SW, s->OW + wide / s->SW};
}
INLINE void places(const shape* s, const plane* p, long* at) {
    FOR(r, s->KH) FOR(c, s->KW) at[r * s->KW + c] = (r * s->DH * p->parts + c * s->DW % p->parts) * p->width + c * s->DW / p->parts;
}

static void result_of(const REAL* x, REAL* y, const REAL* w, const shape* s, long from, long to, REAL* room) {
    const plane p = plane_of_image(s);
    long at[TAPS];
    places(s, &p, at);
    FOR(sample, s->N) for (long c = from; c < to; c++) {
        pad(x + (sample * s->C + c) * s->H * s->W, room, &p);
        products(room, s->SH * p.parts * p.width, y + (sample * s->C + c) * s->OH * s->OW, s->OW, s->OH, s->OW, 1,
                 w + c * s->KH * s->KW, at, s->KH * s->KW, s->add);
    }
}

/* Adds to each tap's part what some rows of y and what it sees there give, of `count` columns or a block of them. */
INLINE void meet(const REAL* y, long y_pitch, const REAL* seen, long pitch, const int rows, long count, const long* at, long taps, block* parts) {
    block lines[ROWS] = {{0}};
    bits own;                                            /* infinity behind a line must not meet the zeros there */
    FOR(l, LANES) own[l] = l < count ? -1 : 0;
    for (int i = 0; i < rows; i++) {
        if (count >= LANES) lines[i] = *(const some*)(y + i * y_pitch);
        else FOR(l, LANES) lines[i][l] = l < count ? y[i * y_pitch + l] : 0;
    }
    FOR(k, taps) {
        block part = parts[k];
        for (int i = 0; i < rows; i++) part += lines[i] * (block)((bits)*(const some*)(seen + at[k] + i * pitch) & own);
        parts[k] = part;
    }
}

static void kernel_of(const REAL* x, const REAL* y, REAL* w, const shape* s, REAL* room) {
    const plane p = plane_of_image(s);
    const long taps = s->KH * s->KW;
    long at[TAPS];
    wide sums[TAPS];
    FOR(k, taps) sums[k] = (wide){0};
    places(s, &p, at);
    for (long sample = 0; sample < s->N; sample++, x += s->C * s->H * s->W, y += s->C * s->OH * s->OW) {
        block parts[TAPS];
        FOR(k, taps) parts[k] = (block){0};
        pad(x, room, &p);
        const long pitch = s->SH * p.parts * p.width;
        for (long i = 0; i < s->OH;) {
            const int rows = s->OH - i < ROWS ? 1 : ROWS;
            for (long j = 0; j < s->OW; j += LANES) {
                if (rows == 1) meet(y + i * s->OW + j, s->OW, room + i * pitch + j, pitch, 1, s->OW - j, at, taps, parts);
                else meet(y + i * s->OW + j, s->OW, room + i * pitch + j, pitch, ROWS, s->OW - j, at, taps, parts);
            }
            i += rows;
        }
        FOR(k, taps) sums[k] += __builtin_convertvector(parts[k], wide);
    }
    FOR(k, taps) {
        double all = 0;
        FOR(l, LANES) all += sums[k][l];
        w[k] = all;
    }
}

/* Of the image those rows and columns together that a stride apart see the same taps (a kind of them for each remainder by the strides,
   SW of columns): the others fall between them. The result is padded so that all taps are there. */
INLINE plane plane_of_result(const shape* s) {
    const long up = (s->KH - 1) * s->DH - s->PH, before = (s->KW - 1) * s->DW - s->PW;
    const long top = up > 0 ? (up + s->SH - 1) / s->SH : 0, left = before > 0 ? (before + s->SW - 1) / s->SW : 0;
    return (plane){s->OH, s->OW, top, left, top + (s->H - 1) / s->SH + (s->SH - 1 + s->PH) / s->SH + 1, 1,
                   left + (s->W - 1) / s->SW + (s->SW - 1 + s->PW) / s->SW + 1};
}
INLINE void image_of(REAL* x, const REAL* y, const REAL* w, const shape* s, long from, long to, REAL* room, const long SW) {
    const plane p = plane_of_result(s);
    const long taps = s->KH * s->KW;
    long at[TAPS], tap[TAPS], ends[TAPS + 1] = {0}, found = 0;
    FOR(kind, s->SH * SW) {
        FOR(r, s->KH) FOR(c, s->KW) {
            const long down = kind / SW + s->PH - r * s->DH + p.top * s->SH, across = kind % SW + s->PW - c * s->DW + p.left * SW;
            if (down % s->SH || across % SW) continue;
            tap[found] = r * s->KW + c, at[found++] = down / s->SH * p.width + across / SW;
        }
        ends[kind + 1] = found;
    }
    FOR(sample, s->N) for (long c = from; c < to; c++) {
        REAL by[TAPS], *image = x + (sample * s->C + c) * s->H * s->W;
        FOR(k, found) by[k] = w[c * taps + tap[k]];
        pad(y + (sample * s->C + c) * s->OH * s->OW, room, &p);
        FOR(kind, s->SH * SW) {
            const long first = ends[kind], row = kind / SW, column = kind % SW;
            const long lines = s->H > row ? (s->H - row + s->SH - 1) / s->SH : 0, columns = s->W > column ? (s->W - column + SW - 1) / SW : 0;
            products(room, p.width, image + row * s->W + column, s->SH * s->W, lines, columns, SW, by + first, at + first, ends[kind + 1] - first, s->add);
        }
    }
}

static void channels(const int what, REAL* x, REAL* y, REAL* w, const long* n) {
    const shape* s = (const shape*)(n + 2);
    const plane p = what == IMAGE ? plane_of_result(s) : plane_of_image(s);
    REAL* room = calloc(p.rows * p.parts * p.width + LANES, sizeof(REAL));
    if (what == RESULT) result_of(x, y, w, s, n[0], n[1], room);
    else if (what == KERNEL) for (long c = n[0]; c < n[1]; c++) kernel_of(x + c * s->H * s->W, y + c * s->OH * s->OW, w + c * s->KH * s->KW, s, room);
    else if (s->SW == 1) image_of(x, y, w, s, n[0], n[1], room, 1);
    else if (s->SW == 2) image_of(x, y, w, s, n[0], n[1], room, 2);
    else image_of(x, y, w, s, n[0], n[1], room, s->SW);
    free(room);
}
void result(REAL* x, REAL* y, REAL* w, const long* n) { channels(RESULT, x, y, w, n); }
void image(REAL* x, REAL* y, REAL* w, const long* n) { channels(IMAGE, x, y, w, n); }
void kernel(REAL* x, REAL* y, REAL* w, const long* n) { channels(KERNEL, x, y, w, n); }
