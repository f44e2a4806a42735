#include "task_figures.h"

trip trip_of(double *ns, size_t count) {
  sort_values(ns, count);
  return (trip){quantile(ns, count, 0.5) / 1e3, quantile(ns, count, 0.99) / 1e3};
}
