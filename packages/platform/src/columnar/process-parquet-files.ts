import { SelsynError } from '../kernel/errors.ts';
import type { ParquetCalls } from './parquet-calls.ts';
import type {
  DevicePoints,
  HoursRequest,
  MergeRequest,
  ParquetDraft,
  ParquetFacts,
  ParquetFiles,
  PointFilter,
  SeriesPoints,
  WrittenHours,
} from './parquet-files.ts';
import type { ServedProcess } from './served-process.ts';

type Parquet = Pick<ServedProcess<ParquetCalls>, 'call' | 'generation' | 'holders'> & AsyncDisposable;

/** Lets a process of its own write and read. */
export class ProcessParquetFiles implements ParquetFiles, AsyncDisposable {
  readonly #process: Parquet;
  #lastNumber = 0;

  constructor(process: Parquet) {
    this.#process = process;
  }

  create(path: string): Promise<ParquetDraft> {
    return Promise.resolve(new ProcessDraft(this.#process, ++this.#lastNumber, path));
  }

  async writeHours(request: HoursRequest, signal?: AbortSignal): Promise<WrittenHours> {
    const { types, ...rest } = request;
    const number = ++this.#lastNumber;
    const holder = {};
    this.#process.holders.add(holder);
    try {
      let generation: object | undefined;
      for await (const { type, devices } of types) {
        await this.#process.call('addTypes', { hours: number, type, devices }, { signal });
        generation ??= this.#process.generation;
      }
      const written = await this.#process.call('writeHours', { ...rest, number }, { signal });
      // Another process has not heard of all types.
      if (generation !== undefined && generation !== this.#process.generation) throw lost();
      return written;
    } finally {
      this.#process.holders.delete(holder);
    }
  }

  async merge(request: MergeRequest, signal?: AbortSignal): Promise<ParquetFacts> {
    return await this.#process.call('merge', request, { signal });
  }

  async verify(path: string): Promise<ParquetFacts> {
    return await this.#process.call('verify', { path });
  }

  async *read(path: string, where: PointFilter = {}): AsyncGenerator<readonly SeriesPoints[]> {
    yield* this.#batches(async (reading) => await this.#process.call('read', { reading, path, where }));
  }

  async *devices(files: readonly string[], where: PointFilter = {}): AsyncGenerator<readonly DevicePoints[]> {
    yield* this.#batches(async (reading) => await this.#process.call('readDevices', { reading, files, where }));
  }

  async *#batches<T>(next: (reading: number) => Promise<T | undefined>): AsyncGenerator<T> {
    const reading = ++this.#lastNumber;
    const holder = {};
    let generation: object | undefined;
    this.#process.holders.add(holder);
    try {
      for (;;) {
        const batch = await next(reading);
        // Another process would begin anew, and give again what was given.
        generation ??= this.#process.generation;
        if (generation !== this.#process.generation) throw lost();
        if (batch === undefined) return;
        yield batch;
      }
    } finally {
      this.#process.holders.delete(holder);
      if (generation === this.#process.generation && generation !== undefined) {
        await this.#process.call('endReading', { reading });
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

class ProcessDraft implements ParquetDraft {
  readonly #process: Parquet;
  readonly #draft: number;
  readonly #path: string;
  /** The process that has what was appended. */
  #generation: object | undefined;

  constructor(process: Parquet, draft: number, path: string) {
    this.#process = process;
    this.#draft = draft;
    this.#path = path;
  }

  async append(batch: readonly SeriesPoints[]): Promise<void> {
    this.#check();
    this.#process.holders.add(this);
    await this.#process.call('append', { draft: this.#draft, path: this.#path, batch });
    this.#check();
  }

  async finish(): Promise<ParquetFacts> {
    this.#check();
    try {
      return await this.#process.call('finish', { draft: this.#draft, path: this.#path });
    } finally {
      this.#process.holders.delete(this);
    }
  }

  async abandon(): Promise<void> {
    this.#process.holders.delete(this);
    if (this.#generation === undefined || this.#generation !== this.#process.generation) return;
    await this.#process.call('abandon', { draft: this.#draft });
  }

  #check(): void {
    this.#generation ??= this.#process.generation;
    if (this.#generation !== undefined && this.#generation !== this.#process.generation) throw lost();
  }
}

function lost(): SelsynError {
  return new SelsynError('columnar.gone', 'the Parquet process has ended in the middle of a file: begin anew', {
    retryable: true,
  });
}
