/* Products of matrices of floats, wherever their numbers lie. A tile of the result stays in registers until it is whole: it takes
   vectors of a strip of b's columns, put in the order in which it takes them if they do not lie so, and single numbers of a. */
#if defined(__AVX512F__)
enum { ROWS = 8, WIDTH = 16 };
#define LANES_OF(f, h) f(0, h), f(1, h), f(2, h), f(3, h), f(4, h), f(5, h), f(6, h), f(7, h), \
                       f(8, h), f(9, h), f(10, h), f(11, h), f(12, h), f(13, h), f(14, h), f(15, h)
#elif defined(__AVX2__)
enum { ROWS = 4, WIDTH = 8 };
#define LANES_OF(f, h) f(0, h), f(1, h), f(2, h), f(3, h), f(4, h), f(5, h), f(6, h), f(7, h)
#else
enum { ROWS = 4, WIDTH = 4 };
#define LANES_OF(f, h) f(0, h), f(1, h), f(2, h), f(3, h)
#endif
enum { WIDE = 3, STRIP = WIDE * WIDTH };                  /* vectors in a row of a tile, and columns in a strip */
enum { DEEP = 384, TALL = 256, FEW = 4 * ROWS };          /* how much of k at a time, rows of a, and rows that b is read for as it lies */
#ifndef BLOCK
#define BLOCK 8                                           /* strips that stay laid out for further rows; 1 where matrices are small */
#endif
enum { BROAD = BLOCK * STRIP, ROOM = DEEP * (BROAD + (BLOCK > 1) * TALL) };               /* columns at a time; numbers in a room */
#define UNROLL _Pragma("GCC unroll 16")
typedef float vector __attribute__((vector_size(4 * WIDTH)));
typedef float some __attribute__((vector_size(4 * WIDTH), aligned(4)));
typedef float rows __attribute__((vector_size(4 * ROWS), aligned(4)));
typedef int places __attribute__((vector_size(4 * WIDTH)));
typedef struct { float* at; long row, column; } matrix;       /* from one row and one column to the next */

INLINE long fewer(long a, long b) { return a < b ? a : b; }
INLINE matrix from(matrix m, long row, long column) { return (matrix){m.at + row * m.row + column * m.column, m.row, m.column}; }
INLINE matrix turned(matrix m) { return (matrix){m.at, m.column, m.row}; }

#ifdef __clang__                                              /* has none by a vector, but makes one instruction of this */
INLINE vector shuffled(vector a, vector b, places from) {
    vector y;
    UNROLL for (int l = 0; l < WIDTH; l++) y[l] = from[l] < WIDTH ? a[from[l]] : b[from[l] - WIDTH];
    return y;
}
#define __builtin_shuffle shuffled
#endif

/* WIDTH rows of WIDTH become columns: halves change places, then halves of these. */
#define LOW(l, h) ((l) & (h) ? WIDTH + ((l) ^ (h)) : (l))
#define HIGH(l, h) ((l) & (h) ? WIDTH + (l) : (l) | (h))
#define EXCHANGE(h) \
    UNROLL for (int i = 0; i < WIDTH; i++) if (WIDTH > h && !(i & h)) { \
        const vector a = r[i], b = r[i | h]; \
        r[i] = __builtin_shuffle(a, b, (places){LANES_OF(LOW, h)}), r[i | h] = __builtin_shuffle(a, b, (places){LANES_OF(HIGH, h)}); \
    }
INLINE void turn(vector* r) { EXCHANGE(8) EXCHANGE(4) EXCHANGE(2) EXCHANGE(1) }

/* Of up to WIDTH lines, `step` apart, so many numbers from `at` on, turned; behind the last line stands that one again. */
INLINE void square(const float* at, long step, long lines, vector* r) {
    UNROLL for (int j = 0; j < WIDTH; j++) r[j] = *(const some*)(at + fewer(j, lines - 1) * step);
    turn(r);
}

/* A strip of b: to[p * width + j] is number p of column j; what stands behind the last column is not used. */
static void pack(matrix b, long columns, long k, float* to, long width) {
    if (b.row == 1 && k >= WIDTH)
        for (long g = 0; g < columns; g += WIDTH)
            for (long q = 0; q < k; q += WIDTH) {
                const long p = fewer(q, k - WIDTH);
                vector r[WIDTH];
                square(from(b, p, g).at, b.column, columns - g, r);
                UNROLL for (int j = 0; j < WIDTH; j++) *(some*)(to + (p + j) * width + g) = r[j];
            }
    else if (b.column == 1 && b.row >= 0) {
        const long end = (k - 1) * b.row + columns;          /* of what is b's: behind a row's end lies the next one, which may be read */
        FOR(p, k) for (long j = 0; j < width; j += WIDTH) {
            const float* line = b.at + p * b.row + j;
            if (p * b.row + j + WIDTH <= end) *(some*)(to + p * width + j) = *(const some*)line;
            else FOR(l, columns - j) to[p * width + j + l] = line[l];
        }
    } else FOR(p, k) FOR(j, columns) to[p * width + j] = b.at[j * b.column + p * b.row];
}

/* Rows of a, ROWS at a time: to[(i / ROWS * k + p) * ROWS + i % ROWS] is number p of row i. Those behind the last one are not used. */
static void gather(matrix a, long m, long k, float* to) {
    if (a.column == 1 && k >= WIDTH)
        for (long i = 0; i < m; i += WIDTH)
            for (long q = 0; q < k; q += WIDTH) {
                const long p = fewer(q, k - WIDTH);
                vector r[WIDTH];
                square(from(a, i, p).at, a.row, m - i, r);
                UNROLL for (int h = 0; h < WIDTH / ROWS; h++) if (i + h * ROWS < m)
                    UNROLL for (int j = 0; j < WIDTH; j++) *(rows*)(to + (i + h * ROWS) * k + (p + j) * ROWS) = ((const rows*)(r + j))[h];
            }
    else for (long i = 0; i < m; i += ROWS)
        if (a.row == 1 && m - i >= ROWS) for (long p = 0; p < k; p++, to += ROWS) *(rows*)to = *(const rows*)(a.at + i + p * a.column);
        else for (long p = 0; p < k; p++, to += ROWS) FOR(r, fewer(m - i, ROWS)) to[r] = a.at[(i + r) * a.row + p * a.column];
}

/* A strip of the result: m rows of n columns. From a's row to the next it is `step` to where its numbers begin; in b it is `next`. */
typedef struct { matrix a, c; const float* b; long step, next, m, n, k, add; } strip;

/* A tile of sums to where it belongs. Turned, it has all its rows. */
INLINE void put(vector x[ROWS][WIDE], matrix c, const int high, const int wide, const int add) {
    if (c.column == 1)
        UNROLL for (int i = 0; i < high; i++) UNROLL for (int j = 0; j < wide; j++) {
            some* y = (some*)(c.at + i * c.row + j * WIDTH);
            *y = add ? *y + x[i][j] : x[i][j];
        }
    else UNROLL for (int j = 0; j < wide; j += WIDTH / ROWS) {                             /* as many vectors as fill a square */
        vector y[WIDTH];
        UNROLL for (int i = 0; i < WIDTH; i++) y[i] = j + i / ROWS < wide ? x[i % ROWS][j + i / ROWS] : (vector){0};
        turn(y);
        UNROLL for (int h = 0; h < WIDTH / ROWS; h++) UNROLL for (int l = 0; l < WIDTH; l++) if (j + h < wide) {
            rows *z = (rows*)(c.at + ((j + h) * WIDTH + l) * c.column), first = ((const rows*)(y + l))[h];
            *z = add ? *z + first : first;
        }
    }
}

/* Its tile from row r on, of up to `high` rows and `wide` vectors. */
INLINE void tile(const strip* s, long r, const int high, const int wide) {
    vector x[ROWS][WIDE];
    const float *line[ROWS], *b = s->b;
    const long m = s->m - r, n = s->n, k = s->k, step = s->a.column, next = s->next;
    UNROLL for (int i = 0; i < high; i++) {
        line[i] = s->a.at + r * s->step + fewer(i, m - 1) * s->a.row;
        UNROLL for (int j = 0; j < wide; j++) x[i][j] = (vector){0};
    }
    _Pragma("GCC unroll 4") for (long q = 0, p = 0; q < k; q++, p += step, b += next)
        UNROLL for (int i = 0; i < high; i++) UNROLL for (int j = 0; j < wide; j++) x[i][j] += line[i][p] * *(const some*)(b + j * WIDTH);
    const matrix c = from(s->c, r, 0);
    if (m < high || n < wide * WIDTH || c.column != 1 && high < ROWS) {
        float edge[ROWS * STRIP];
        put(x, (matrix){edge, STRIP, 1}, high, wide, 0);
        FOR(i, fewer(m, high)) FOR(j, n) {
            float *y = from(c, i, j).at, x = edge[i * STRIP + j];
            *y = s->add ? *y + x : x;
        }
    } else if (s->add) put(x, c, high, wide, 1);
    else put(x, c, high, wide, 0);
}
#define TILE(wide) \
    static __attribute__((noinline)) void tile_##wide(const strip* s, long r) { tile(s, r, ROWS, wide); } \
    static __attribute__((noinline)) void low_##wide(const strip* s, long r) { tile(s, r, ROWS / 2, wide); }
TILE(1) TILE(2) TILE(3)
static void (*const TILES[][2])(const strip*, long) = {{0}, {low_1, tile_1}, {low_2, tile_2}, {low_3, tile_3}};

/* Where it is quicker the rows of b, turned, take the part of a's. */
static int turns(matrix a, matrix b, long m, long n, long k) {
    return a.column == 1 ? m < 4 * n && (b.row == 1 || m >= TALL) : b.row == 1 || m > 2 * n && k > m;
}

/* c = a b, or c += a b, the way it is asked for; a is m by k, b k by n, and of c rows or columns lie side by side. A long sum is made
   of parts: added number by number, each small beside the rest, it would lose digits. */
static void strips(matrix a, matrix b, matrix c, long m, long n, long k, int add, float* room) {
    const int as_it_lies = m <= FEW && b.column == 1, apart = BLOCK > 1 && n > (a.row == 1 ? 2 : 4) * STRIP;          /* which is read often */
    float* const panels = room + DEEP * BROAD;
    for (long start = 0; start < n; start += BROAD)
        for (long p = 0; p < k; p += DEEP)
            for (long i = 0; i < m; i += TALL) {
                const long high = fewer(m - i, TALL), deep = fewer(k - p, DEEP), end = fewer(n, start + BROAD);
                float* own = room;                        /* of the strips, one after the other, which the next rows find here */
                if (apart) gather(from(a, i, p), high, deep, panels);
                for (long j = start, left = (end - start + WIDTH - 1) / WIDTH; left; ) {
                    const long rest = (left + WIDE - 1) / WIDE, wide = (left + rest - 1) / rest, columns = fewer(end - j, wide * WIDTH);
                    const int there = as_it_lies && columns == wide * WIDTH;
                    if (!there && !i) pack(from(b, p, j), columns, deep, own, wide * WIDTH);
                    const strip s = {apart ? (matrix){panels, 1, ROWS} : from(a, i, p), from(c, i, j), there ? from(b, p, j).at : own,
                                     apart ? deep : a.row, there ? b.row : wide * WIDTH, high, columns, deep, add || p};
                    for (long r = 0; r < high; r += ROWS) TILES[wide][high - r > ROWS / 2](&s, r);
                    left -= wide, j += wide * WIDTH, own += m > TALL ? deep * wide * WIDTH : 0;
                }
            }
}

static void product(matrix a, matrix b, matrix c, long m, long n, long k, int add, float* room) {
    if (turns(a, b, m, n, k)) strips(turned(b), turned(a), turned(c), n, m, k, add, room);
    else strips(a, b, c, m, n, k, add, room);
}
