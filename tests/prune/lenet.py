"""The sizes of Lenet-300-100 and the surviving shares that the lottery-ticket paper's protocol gives it."""

SHAPES = {"fc1.weight": (300, 784), "fc2.weight": (100, 300), "output.weight": (10, 100)}
SIZES = {name: rows * columns for name, (rows, columns) in SHAPES.items()}
FRACTIONS = {"fc1.weight": 0.2, "fc2.weight": 0.2, "output.weight": 0.1}
WEIGHTS = 266_200
PERCENT_LEFT = {3: 51.28, 7: 21.07, 9: 13.52, 15: 3.58, 16: 2.87}  # by round, of WEIGHTS
