/* A pretended CUDA runtime and driver with one device, so that FakeTensor's 'cuda' tensors work on a
 * machine without a GPU. It computes nothing: every call succeeds and does as little as it can. */
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#define __host__
#define __device__
#include "driver_types.h"

#define OK(name, ...) int name(__VA_ARGS__) { return 0; }

static long next_handle = 0x1000;
static const size_t MEMORY = (size_t)150e9;

int cudaGetDeviceCount(int *count) { *count = 1; return 0; }
int cudaGetDevice(int *device) { *device = 0; return 0; }
int cudaDriverGetVersion(int *version) { *version = 13020; return 0; }
int cudaRuntimeGetVersion(int *version) { *version = 13020; return 0; }
int cudaDeviceGetStreamPriorityRange(int *least, int *most) { *least = 0; *most = -5; return 0; }
int cudaStreamIsCapturing(void *stream, int *status) { *status = 0; return 0; }
int cudaStreamGetCaptureInfo(void *stream, int *status, void *a, void *b, void *c, void *d, void *e) {
  *status = 0;
  return 0;
}
int cudaMemGetInfo(size_t *free, size_t *total) { *free = MEMORY; *total = MEMORY; return 0; }
int cudaStreamCreateWithPriority(void **stream, unsigned flags, int priority) {
  *stream = (void *)(next_handle += 16);
  return 0;
}
int cudaEventCreateWithFlags(void **event, unsigned flags) {
  *event = (void *)(next_handle += 16);
  return 0;
}
int cudaDeviceCanAccessPeer(int *can, int a, int b) { *can = 0; return 0; }
int cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device) {
  memset(properties, 0, sizeof *properties);
  strcpy(properties->name, "pretended GPU");
  properties->major = 9;
  properties->totalGlobalMem = MEMORY;
  properties->multiProcessorCount = 132;
  properties->warpSize = 32;
  properties->maxThreadsPerMultiProcessor = 2048;
  properties->maxThreadsPerBlock = 1024;
  properties->regsPerMultiprocessor = 65536;
  properties->regsPerBlock = 65536;
  properties->sharedMemPerBlock = 49152;
  properties->sharedMemPerBlockOptin = 232448;
  properties->sharedMemPerMultiprocessor = 233472;
  properties->l2CacheSize = 50 << 20;
  return 0;
}
int cudaGetDeviceProperties_v2(struct cudaDeviceProp *properties, int device) {
  return cudaGetDeviceProperties(properties, device);
}
int cudaDeviceGetAttribute(int *value, int attribute, int device) { *value = 0; return 0; }
int cudaDeviceGetDefaultMemPool(void **pool, int device) { *pool = (void *)0x99; return 0; }
int cudaMemPoolGetAttribute(void *pool, int attribute, void *value) { memset(value, 0, 8); return 0; }
int cudaDeviceGetPCIBusId(char *id, int length, int device) {
  strncpy(id, "0000:00:00.0", length);
  return 0;
}
int cudaPointerGetAttributes(void *attributes, const void *pointer) {
  memset(attributes, 0, 32);
  return 0;
}
int cudaMalloc(void **pointer, size_t size) {
  *pointer = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return 0;
}
int cudaHostAlloc(void **pointer, size_t size, unsigned flags) { return cudaMalloc(pointer, size); }
int cudaHostGetDevicePointer(void **device, void *host, unsigned flags) { *device = host; return 0; }
int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream) {
  memcpy(to, from, size);
  return 0;
}
int cudaMemcpy(void *to, const void *from, size_t size, int kind) { memcpy(to, from, size); return 0; }

OK(cudaSetDevice, int device)
OK(cudaGetLastError, void)
OK(cudaPeekAtLastError, void)
OK(cudaDeviceSynchronize, void)
OK(cudaStreamSynchronize, void *stream)
OK(cudaStreamQuery, void *stream)
OK(cudaEventRecord, void *event, void *stream)
OK(cudaEventDestroy, void *event)
OK(cudaEventQuery, void *event)
OK(cudaEventSynchronize, void *event)
OK(cudaStreamWaitEvent, void *stream, void *event, unsigned flags)
OK(cudaThreadExchangeStreamCaptureMode, int *mode)
OK(cudaFree, void *pointer)
OK(cudaFreeHost, void *pointer)
OK(cudaMemPoolSetAttribute, void *pool, int attribute, void *value)
OK(cudaMemsetAsync, void *pointer, int value, size_t size, void *stream)

/* The driver, libcuda.so.1. */
int cuInit(unsigned flags) { return 100; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDriverGetVersion(int *version) { *version = 13020; return 0; }
int cuCtxGetCurrent(void **context) { *context = (void *)1; return 0; }
int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
  *flags = 0;
  *active = 1;
  return 0;
}
int cuGetProcAddress_v2(const char *name, void **pointer, int version, unsigned long flags, void *status) {
  *pointer = 0;
  return 500;
}
