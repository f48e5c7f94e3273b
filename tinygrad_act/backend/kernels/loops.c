/* Inner loops of NumPy's ufuncs (PyUFuncGenericFunction), one after the other: see backend/loops.py, whose classes lie as these do. */
typedef void (*loop_t)(char**, const long*, const long*, void*);
typedef struct {
    loop_t loop;
    void* data;                                          /* of the loop */
    long count, times, places[4], step[4], sizes[5], strides[9], filled, width;
    char start[8];
    long tiled, breadth, bytes;                          /* of which array rows are laid out again and again, so that one run will do */
    char* tile;
    long flushed;                                        /* are subnormal numbers zeros? */
} line_t;
typedef struct { const line_t* lines; long count; void** arrays; long fields, given, items; } lines_t;

/* `fields`: how far into an array's object, after Python's own fields, the address of its numbers is; `items`: how far into a tuple
   that of its first item is. The first `given` of the arrays are new at each call, and come in a tuple. */
void run(const lines_t* all, const char* tuple) {
    for (long i = 0; i < all->given; i++) all->arrays[i] = ((void**)(tuple + all->items))[i];
    for (const line_t* line = all->lines; line < all->lines + all->count; line++) {
        char* a[4];
        char* b[4];
        for (long k = 0; k < line->count; k++) a[k] = *(char**)((char*)all->arrays[line->places[k]] + all->fields);
        for (long i = 0; i < line->filled; i++) __builtin_memcpy(a[0] + i * line->width, line->start, line->width);
        if (line->bytes) {
            __builtin_memcpy(line->tile, a[line->tiled], line->breadth);
            for (long done = line->breadth, more; done < line->bytes; done += more) {
                more = done < line->bytes - done ? done : line->bytes - done;
                __builtin_memcpy(line->tile + done, line->tile, more);
            }
            a[line->tiled] = line->tile;
        }
        before_t before;
        if (line->flushed) before = flush();
        for (long i = 0; i < line->times; i++) {
            for (long k = 0; k < line->count; k++) b[k] = a[k] + i * line->step[k];
            line->loop(b, line->sizes, line->strides, line->data);
        }
        if (line->flushed) back(before);
    }
}
