import math

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(2)
x = torch.linspace(-math.pi, math.pi, 200).unsqueeze(1)
y = torch.sin(x) + 0.1 * torch.randn(x.size())


class Gelu(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3))))


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, i):
        result = i * torch.sigmoid(i)
        ctx.save_for_backward(i)
        return result

    @staticmethod
    def backward(ctx, grad_output):
        i, = ctx.saved_tensors
        s = torch.sigmoid(i)
        return grad_output * (s * (1 + i * (1 - s)))


def init_weights(m):
    if isinstance(m, nn.Linear):
        torch.nn.init.xavier_uniform_(m.weight)
        m.bias.data.fill_(0.01)


net = nn.Sequential(nn.Linear(1, 16), Gelu(), nn.Linear(16, 16), nn.ELU(alpha=1.0), nn.Linear(16, 1))
net.apply(init_weights)
criterion = nn.MSELoss()
optimizer = optim.Adam(net.parameters(), lr=0.01)
losses = []
for epoch in range(40):
    prediction = net(x)
    loss = criterion(prediction, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(losses[-1] < losses[0])
for name, param in net.named_parameters():
    print(name, param.shape, param.grad is not None, param.requires_grad)

t = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
out = Swish.apply(t)
out.backward(torch.ones(3))
print(out)
print(t.grad)
print(torch.nn.functional.gelu(t), torch.nn.functional.leaky_relu(t, 0.2))

w = torch.randn(3, 2, requires_grad=True)
b = torch.zeros(2, requires_grad=True)
for _ in range(3):
    loss = ((torch.ones(5, 3) @ w + b) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
        w.grad.zero_()
        b.grad.zero_()
print(w.shape, b.grad)
array = np.arange(6, dtype=np.float32).reshape(2, 3)
print(torch.from_numpy(array) * 2, torch.tensor(array).numpy().sum())
print(np.asarray(prediction.detach()).shape, prediction.detach().numpy().dtype)
