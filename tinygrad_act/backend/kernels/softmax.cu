// Beside softmax and log_softmax of activations/softmaxes.py, and exponentials of numerics/attention.py.
__device__ inline W peak_of(const T* x, const Row& row, long long n) {
    W most = LOWEST;
    EACH(j, row, n) most = larger(most, (W)x[row.at(j)]);
    return max_of(most);
}

extern "C" __global__ void softmax(const T* x, T* y, long long rows, long long n, long long inner) {
    const Row row(rows, n, inner);
    const W peak = peak_of(x, row, n);
    W total = 0;
    EACH(j, row, n) total += exp((W)x[row.at(j)] - peak);
    total = sum_of(total);
    EACH(j, row, n) y[row.at(j)] = (T)(exp((W)x[row.at(j)] - peak) / total);
}

extern "C" __global__ void softmax_backward(const T* g, const T* y, T* gx, long long rows, long long n, long long inner) {
    const Row row(rows, n, inner);
    W dot = 0;
    EACH(j, row, n) dot += (W)g[row.at(j)] * (W)y[row.at(j)];
    dot = sum_of(dot);
    EACH(j, row, n) gx[row.at(j)] = (T)((W)y[row.at(j)] * ((W)g[row.at(j)] - dot));
}

extern "C" __global__ void log_softmax(const T* x, T* y, long long rows, long long n, long long inner) {
    const Row row(rows, n, inner);
    const W peak = peak_of(x, row, n);
    W tops = 0, others = 0;                              // the largest are exactly 1 each: the others are not lost beside them
    EACH(j, row, n) {
        const W shifted = (W)x[row.at(j)] - peak;
        if (shifted == 0) tops += 1; else others += exp(shifted);
    }
    tops = sum_of(tops);
    others = sum_of(others);
    const W less = log(tops) + log1p(others / tops);
    EACH(j, row, n) y[row.at(j)] = (T)((W)x[row.at(j)] - peak - less);
}

extern "C" __global__ void log_softmax_backward(const T* g, const T* y, T* gx, long long rows, long long n, long long inner) {
    const Row row(rows, n, inner);
    W total = 0;
    EACH(j, row, n) total += (W)g[row.at(j)];
    total = sum_of(total);
    EACH(j, row, n) gx[row.at(j)] = (T)((W)g[row.at(j)] - exp((W)y[row.at(j)]) * total);
}

// In place: x becomes exp(x - peak). A row that is all -inf becomes zeros, with the sum 1 and the peak 0.
extern "C" __global__ void exponentials(T* x, T* total, T* peak, long long rows, long long n) {
    const Row row(rows, n, 1);
    W most = peak_of(x, row, n);
    if (most == LOWEST) most = 0;
    W sum = 0;
    EACH(j, row, n) {
        const W e = exp((W)x[row.at(j)] - most);
        x[row.at(j)] = (T)e;
        sum += e;
    }
    sum = sum_of(sum);
    if (row.there && threadIdx.y == 0) {
        total[ROW] = (T)(sum == 0 ? 1 : sum);
        peak[ROW] = (T)most;
    }
}

// What attention does to a gradient, in place: gs becomes p (gs - the sum of the row of g y), which has `width` numbers.
extern "C" __global__ void attention_backward(T* gs, const T* p, const T* g, const T* y, long long rows, long long n, long long width) {
    const Row row(rows, n, 1);
    W dot = 0;
    for (long long j = threadIdx.y; row.there && j < width; j += blockDim.y) dot += (W)g[ROW * width + j] * (W)y[ROW * width + j];
    dot = sum_of(dot);
    EACH(j, row, n) gs[row.at(j)] = (T)((W)p[row.at(j)] * ((W)gs[row.at(j)] - dot));
}
