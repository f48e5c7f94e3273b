import copy
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(4)
layers = []
for _ in range(10):
    layers += [nn.Linear(20, 20), nn.Sigmoid()]
deep = nn.Sequential(*layers, nn.Linear(20, 1))
activations = {}


def get_activation(name):
    def hook(model, input, output):
        activations[name] = output.detach()
    return hook


deep[1].register_forward_hook(get_activation("first"))
loss = F.binary_cross_entropy(torch.sigmoid(deep(torch.randn(8, 20))), torch.ones(8, 1))
loss.backward()
gradients = [m.weight.grad.norm().item() for m in deep if isinstance(m, nn.Linear)]
print(gradients[0] < 1e-4 < gradients[-1], activations["first"].shape)

bn = nn.BatchNorm1d(4)
bn(torch.randn(16, 4) * 3 + 1)
print(bn.running_mean.shape, bn.num_batches_tracked, bn.training, bn.eval().training)
print(list(nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2)).state_dict()))

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model.pth")
    torch.save(deep.state_dict(), path)
    other = copy.deepcopy(deep)
    nn.init.zeros_(other[0].weight)
    print(other.load_state_dict(torch.load(path)))
    print(torch.equal(other[0].weight, deep[0].weight))

checkpoint_free = torch.optim.RMSprop(deep.parameters(), lr=1e-3)
print(type(checkpoint_free).__name__, len(checkpoint_free.param_groups))
x = torch.ones(3, requires_grad=True)
y = (x * 2).sum()
grad, = torch.autograd.grad(y, x, create_graph=True)
print(grad, x.is_leaf, y.grad_fn is not None)
prelu = nn.PReLU(num_parameters=1, init=0.25)
print(prelu(torch.tensor([-4.0, 4.0])), prelu.weight)
