"""Functions in C of the layers without weights; a program has those that it calls."""

from __future__ import annotations

IMAGES = "const float *x, float *y, int channels, int height, int width"
WINDOWS = f"{IMAGES}, int rows, int columns, int kernel_height, int kernel_width"

HELPERS = {
    "relu": """
static void relu(float *x, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (x[i] < 0.0f)
            x[i] = 0.0f;
}
""",
    "leaky_relu": """
static void leaky_relu(float *x, size_t count, float slope) {
    for (size_t i = 0; i < count; i++)
        if (x[i] < 0.0f)
            x[i] *= slope;
}
""",
    "hyperbolic": """
static void hyperbolic(float *x, size_t count) {
    for (size_t i = 0; i < count; i++)
        x[i] = tanhf(x[i]);
}
""",
    "sigmoid": """
static void sigmoid(float *x, size_t count) {
    for (size_t i = 0; i < count; i++)
        x[i] = 1.0f / (1.0f + expf(-x[i]));
}
""",
    "add": """
static void add(float *x, const float *y, size_t count) {
    for (size_t i = 0; i < count; i++)
        x[i] += y[i];
}
""",
    "copy": """
static void copy(const float *x, float *y, size_t count) {
    for (size_t i = 0; i < count; i++)
        y[i] = x[i];
}
""",
    "scale_channels": """
static void scale_channels(float *x, const float *scale, const float *shift, size_t channels, size_t count) {
    for (size_t channel = 0; channel < channels; channel++)
        for (size_t i = 0; i < count; i++, x++)
            *x = *x * scale[channel] + shift[channel];
}
""",
    "pad": f"""
static void pad({IMAGES}, int left, int right, int top, int bottom) {{
    for (int channel = 0; channel < channels; channel++)
        for (int row = -top; row < height + bottom; row++)
            for (int column = -left; column < width + right; column++) {{
                int inside = row >= 0 && row < height && column >= 0 && column < width;
                *y++ = inside ? *x++ : 0.0f;
            }}
}}
""",
    "pad_channels": """
static void pad_channels(const float *x, float *y, size_t count, size_t before, size_t after) {
    for (size_t i = 0; i < before; i++)
        *y++ = 0.0f;
    for (size_t i = 0; i < count; i++)
        *y++ = *x++;
    for (size_t i = 0; i < after; i++)
        *y++ = 0.0f;
}
""",
    "max_pool": f"""
static void max_pool({WINDOWS},
                     int down, int right, int top, int left, int dilation_down, int dilation_right) {{
    for (int channel = 0; channel < channels; channel++, x += (size_t)height * width)
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++) {{
                float largest = -FLT_MAX;
                for (int i = 0; i < kernel_height; i++)
                    for (int j = 0; j < kernel_width; j++) {{
                        int at = row * down - top + i * dilation_down, from = column * right - left + j * dilation_right;
                        if (at >= 0 && at < height && from >= 0 && from < width && x[(size_t)at * width + from] > largest)
                            largest = x[(size_t)at * width + from];
                    }}
                *y++ = largest;
            }}
}}
""",
    "average_pool": f"""
static void average_pool({WINDOWS},
                         int down, int right, int top, int left) {{
    for (int channel = 0; channel < channels; channel++, x += (size_t)height * width)
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++) {{
                float sum = 0.0f;
                for (int i = 0; i < kernel_height; i++)
                    for (int j = 0; j < kernel_width; j++) {{
                        int at = row * down - top + i, from = column * right - left + j;
                        if (at >= 0 && at < height && from >= 0 && from < width)
                            sum += x[(size_t)at * width + from];
                    }}
                *y++ = sum / (float)(kernel_height * kernel_width);
            }}
}}
""",
    "average": """
static void average(const float *x, float *y, size_t channels, size_t count) {
    for (size_t channel = 0; channel < channels; channel++) {
        float sum = 0.0f;
        for (size_t i = 0; i < count; i++)
            sum += *x++;
        y[channel] = sum / (float)count;
    }
}
""",
}
