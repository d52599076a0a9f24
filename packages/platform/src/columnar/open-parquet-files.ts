import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { ServedProcess } from './served-process.ts';
import type { ColumnarLimits } from './columnar-limits.ts';
import type { ParquetCalls } from './parquet-calls.ts';
import type { ParquetFiles } from './parquet-files.ts';
import { ProcessParquetFiles } from './process-parquet-files.ts';

/** Names of millions of series. */
const HEAP_MB = 768;

export interface ParquetFilesOptions {
  readonly limits: ColumnarLimits;
  /** A folder of its own, emptied at the start of each process: what does not fit into memory goes there. */
  readonly scratchDir: string;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

/** Starts nothing yet: the process begins with the first call, and ends when it had nothing to do for a minute. */
export function openParquetFiles(options: ParquetFilesOptions): ParquetFiles & AsyncDisposable {
  const { limits, scratchDir, clock, logLines } = options;
  const served = new ServedProcess<ParquetCalls>({
    name: 'parquet',
    script: new URL('./parquet-process.ts', import.meta.url),
    start: { scratchDir, memoryBytes: limits.memoryBytes, threads: limits.threads },
    maxResidentBytes: limits.maxResidentBytes,
    callDeadlineMs: limits.callDeadlineMs,
    heapMb: HEAP_MB,
    clock,
    logLines,
  });
  return new ProcessParquetFiles(served);
}
