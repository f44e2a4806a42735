// Never gives the turn back: stopped by --cpu-ms.
for (;;);
