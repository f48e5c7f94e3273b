// T is the element type and W that of the arithmetic: float for the halves. Blocks have blockDim.x rows side by side, each
// shared by blockDim.y threads, a power of 2. Rows that lie next to one another in memory are read together.
template <typename V> __device__ V sum_of(V v) {
    __shared__ V part[1024];
    const int x = threadIdx.x, y = threadIdx.y, width = blockDim.x;
    part[y * width + x] = v;
    for (int n = blockDim.y / 2; n > 0; n /= 2) {
        __syncthreads();
        if (y < n) part[y * width + x] += part[(y + n) * width + x];
    }
    __syncthreads();
    const V total = part[x];
    __syncthreads();
    return total;
}
__device__ inline W larger(W a, W b) { return a >= b || a != a ? a : b; }               // NaN stays NaN
__device__ inline W max_of(W v) {
    __shared__ W part[1024];
    const int x = threadIdx.x, y = threadIdx.y, width = blockDim.x;
    part[y * width + x] = v;
    for (int n = blockDim.y / 2; n > 0; n /= 2) {
        __syncthreads();
        if (y < n) part[y * width + x] = larger(part[y * width + x], part[(y + n) * width + x]);
    }
    __syncthreads();
    const W most = part[x];
    __syncthreads();
    return most;
}
// A long sum: a few terms at a time in W, these in double.
struct Sum {
    W part;
    double total;
    int count;
    __device__ Sum() : part(0), total(0), count(0) {}
    __device__ void add(W v) {
        part += v;
        if (++count == 16) { total += part; part = 0; count = 0; }
    }
    __device__ double all() { return sum_of(total + part); }
};
// Row r of an array (outer, n, inner), seen as rows along its middle: element j is at base + j * step.
struct Row {
    long long base, step;
    bool there;
    __device__ Row(long long rows, long long n, long long inner) {
        const long long r = (long long)blockIdx.x * blockDim.x + threadIdx.x;
        there = r < rows;
        base = there ? r / inner * n * inner + r % inner : 0;
        step = inner;
    }
    __device__ long long at(long long j) const { return base + j * step; }
};
#define EACH(j, row, n) for (long long j = threadIdx.y; row.there && j < n; j += blockDim.y)
#define ROW ((long long)blockIdx.x * blockDim.x + threadIdx.x)
#define LOWEST (-(W)1 / (W)0)
