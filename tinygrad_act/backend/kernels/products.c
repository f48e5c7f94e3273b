/* Products of small matrices of floats, wherever their numbers lie. Of b a strip of columns is put in the order in which tiles take
   it; a is read as it lies. */
#if defined(__AVX512F__)
enum { ROWS = 8, WIDTH = 16 };
#elif defined(__AVX2__)
enum { ROWS = 4, WIDTH = 8 };
#else
enum { ROWS = 4, WIDTH = 4 };
#endif
enum { STRIP = 2 * WIDTH, DEEP = 256 };                   /* columns in a strip, and how much of k at a time */
#define UNROLL _Pragma("GCC unroll 16")
typedef float vector __attribute__((vector_size(4 * WIDTH)));
typedef float some __attribute__((vector_size(4 * WIDTH), aligned(4)));
typedef int places __attribute__((vector_size(4 * WIDTH)));
typedef struct { float* at; long row, column; } matrix;       /* from one row and one column to the next */

#ifdef __clang__                                              /* has none by a vector, but makes one instruction of this */
INLINE vector shuffled(vector a, vector b, places from) {
    vector y;
    UNROLL for (int l = 0; l < WIDTH; l++) y[l] = from[l] < WIDTH ? a[from[l]] : b[from[l] - WIDTH];
    return y;
}
#define __builtin_shuffle shuffled
#endif

/* WIDTH rows of WIDTH become columns: halves change places, then halves of these. */
INLINE void turn(vector* r) {
    UNROLL for (int h = WIDTH / 2; h; h /= 2) {
        places low, high;
        UNROLL for (int l = 0; l < WIDTH; l++) low[l] = l & h ? WIDTH + (l ^ h) : l, high[l] = l & h ? WIDTH + l : l | h;
        UNROLL for (int i = 0; i < WIDTH; i++) if (!(i & h)) {
            const vector a = r[i], b = r[i | h];
            r[i] = __builtin_shuffle(a, b, low), r[i | h] = __builtin_shuffle(a, b, high);
        }
    }
}

/* A strip of b: to[p * width + j] is number p of column j; what stands behind the last column is not used. */
INLINE void pack(matrix b, long columns, long k, float* to, const int width) {
    long p = 0;
    if (b.row == 1)
        for (; p + WIDTH <= k; p += WIDTH)
            for (int g = 0; g < width; g += WIDTH) {
                vector r[WIDTH];
                UNROLL for (int j = 0; j < WIDTH; j++) r[j] = *(const some*)(b.at + (g + j < columns ? g + j : columns - 1) * b.column + p);
                turn(r);
                UNROLL for (int j = 0; j < WIDTH; j++) *(some*)(to + (p + j) * width + g) = r[j];
            }
    else if (b.column == 1 && columns == width)
        for (; p < k; p++) UNROLL for (int j = 0; j < width; j += WIDTH) *(some*)(to + p * width + j) = *(const some*)(b.at + p * b.row + j);
    for (; p < k; p++) FOR(j, width) to[p * width + j] = j < columns ? b.at[j * b.column + p * b.row] : 0;
}

/* A tile of up to ROWS rows, and of up to `wide` vectors of columns, which stays in registers until it is whole. */
INLINE void tile(matrix a, const float* b, long k, matrix c, long rows, long columns, int add, const int wide) {
    vector x[ROWS][2];
    const float* line[ROWS];
    UNROLL for (int i = 0; i < ROWS; i++) x[i][0] = x[i][1] = (vector){0}, line[i] = a.at + (i < rows ? i : rows - 1) * a.row;
    for (long p = 0; p < k * a.column; p += a.column, b += wide * WIDTH)
        UNROLL for (int i = 0; i < ROWS; i++) UNROLL for (int j = 0; j < wide; j++) x[i][j] += line[i][p] * *(const some*)(b + j * WIDTH);
    UNROLL for (int i = 0; i < ROWS; i++) if (i < rows)
        UNROLL for (int j = 0; j < wide; j++) {
            float* to = c.at + i * c.row + j * WIDTH;
            const long count = columns - j * WIDTH;
            if (count >= WIDTH) *(some*)to = add ? *(some*)to + x[i][j] : x[i][j];
            else FOR(l, count) to[l] = x[i][j][l] + (add ? to[l] : 0);
        }
}

/* c = a b, or c += a b; c is m by n, its columns side by side, a is m by k and b k by n. A long sum is made of parts: added number
   by number, each small beside the rest, it would lose digits. The room is for STRIP * DEEP numbers. */
static void product(matrix a, matrix b, matrix c, long m, long n, long k, int add, float* room) {
    for (long p = 0; p < k; p += DEEP, add = 1)
        for (long j = 0; j < n; j += STRIP) {
            const matrix strip = {b.at + p * b.row + j * b.column, b.row, b.column};
            const long deep = k - p < DEEP ? k - p : DEEP;
            const int narrow = n - j <= WIDTH;
            if (narrow) pack(strip, n - j, deep, room, WIDTH);
            else pack(strip, n - j < STRIP ? n - j : STRIP, deep, room, STRIP);
            for (long i = 0; i < m; i += ROWS) {
                const matrix some_of_a = {a.at + i * a.row + p * a.column, a.row, a.column}, to = {c.at + i * c.row + j, c.row, 1};
                if (narrow) tile(some_of_a, room, deep, to, m - i, n - j, add, 1);
                else tile(some_of_a, room, deep, to, m - i, n - j, add, 2);
            }
        }
}
