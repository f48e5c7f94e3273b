import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.backends.cudnn as cudnn
from torch.autograd import Variable
from torch.func import functional_call, grad
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.loss import _Loss
from torch.nn.modules.utils import _pair
from torch.optim.adamw import AdamW
from torch.optim.lr_scheduler import _LRScheduler
from torch.utils.data.dataloader import DataLoader

torch.manual_seed(0)
cudnn.benchmark = True
cudnn.deterministic = True
torch.backends.cuda.matmul.allow_tf32 = False
torch.set_float32_matmul_precision("highest")
device = torch.device("mps" if torch.backends.mps.is_available() else "cpu")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        self.out = nn.Linear(4 * 4, 3)
        for module in self.modules():
            if isinstance(module, _ConvNd):
                nn.init.constant_(module.weight, 0.1)
                nn.init.zeros_(module.bias)
            elif isinstance(module, _BatchNorm):
                module.momentum = 0.5
        nn.init.constant_(self.out.weight, 0.05)
        nn.init.zeros_(self.out.bias)

    def forward(self, x):
        x = torch.dropout(self.features(x), 0.5, False)
        return self.out(x.flatten(1))


class Smooth(_Loss):
    def forward(self, x, target):
        return F.smooth_l1_loss(x, target, reduction=self.reduction)


class Warmup(_LRScheduler):
    def get_lr(self):
        return [lr * min(1.0, (self.last_epoch + 1) / 4) for lr in self.base_lrs]


net = nn.DataParallel(Net()).to(device)
print(list(net.state_dict())[:2], _pair(3))
optimizer = AdamW(net.parameters(), lr=0.1)
scheduler = Warmup(optimizer)
criterion = Smooth(reduction="sum")
images = torch.linspace(-1, 1, 4 * 16).reshape(4, 1, 4, 4)
targets = torch.eye(4)[:, :3]
for images, targets in DataLoader(list(zip(images, targets)), batch_size=2):
    x = Variable(images.to(device, memory_format=torch.contiguous_format))
    optimizer.zero_grad()
    loss = criterion(net(x), Variable(targets))
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    print("%.4f %.4f" % (loss.item(), scheduler.get_last_lr()[0]))

# One step of a learner inside the gradient of another (MAML).
learner = nn.Linear(1, 1)
start = {"weight": torch.tensor([[0.5]], requires_grad=True), "bias": torch.tensor([0.1], requires_grad=True)}


def loss_of(weights, x, y):
    return F.mse_loss(functional_call(learner, weights, (x,)), y)


x = torch.linspace(-1, 1, 5)[:, torch.newaxis]
inner = grad(loss_of)(start, x, 3 * x)
stepped = {name: w - 0.1 * inner[name] for name, w in start.items()}
outer = loss_of(stepped, x, 3 * x)
outer.backward()
print("%.3f" % outer.item(), start["weight"].grad, start["bias"].grad)
torch.testing.assert_close(stepped["weight"], torch.tensor([[0.75]]))

state = x.new(2, 3).zero_()
print(state, x.new([1, 2]), torch.cosine_similarity(torch.ones(1, 2), torch.tensor([[1.0, 0.0]])))
print(torch.layer_norm(torch.tensor([[1.0, 3.0]]), (2,)), torch.max_pool1d(torch.tensor([[1.0, 3.0]]), 2))
print(torch.embedding(torch.tensor([[1.0], [2.0]]), torch.tensor([1, 0])), torch.kl_div(torch.tensor([0.5]), torch.tensor([0.5])))
