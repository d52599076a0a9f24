import { randomUUID } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SeriesPoints } from '../columnar/parquet-files.ts';
import { SelsynError } from '../kernel/errors.ts';
import { exportPoints, type ExportRange, type ExportSources } from './export-points.ts';

export type { ExportPlace } from './export-points.ts';

/** A file that a download is made of; it is removed once it is disposed of. */
export interface MadeFile extends AsyncDisposable {
  readonly path: string;
  open(): ReadStream;
}

/** Exports that are under way at once: each takes memory, and some make files. */
const MAX_AT_ONCE = 4;

/** Points out of the store, in large numbers. */
export class TelemetryTransfer {
  readonly #sources: ExportSources;
  #running = 0;

  constructor(sources: ExportSources) {
    this.#sources = sources;
  }

  /** A place for one export, until it is left. @throws SelsynError `telemetry.busy` */
  enter(): Disposable {
    if (this.#running >= MAX_AT_ONCE) {
      throw new SelsynError('telemetry.busy', `${MAX_AT_ONCE} exports are under way already`, { retryable: true });
    }
    this.#running++;
    let left = false;
    return {
      [Symbol.dispose]: () => {
        if (!left) this.#running--;
        left = true;
      },
    };
  }

  /** Sorted by device, metric and time. @throws SelsynError `columnar.failed` and others of the sources */
  points(range: ExportRange, signal: AbortSignal): AsyncGenerator<readonly SeriesPoints[]> {
    return exportPoints(this.#sources, range, signal);
  }

  /** The points as a Parquet file; see columnar/parquet-files.ts for its form. */
  async toParquet(points: AsyncIterable<readonly SeriesPoints[]>): Promise<MadeFile> {
    const made = await this.#newFile();
    try {
      const draft = await this.#sources.parquet.create(made.path);
      try {
        for await (const batch of points) if (batch.length > 0) await draft.append(batch);
        await draft.finish();
      } catch (error) {
        await draft.abandon();
        throw error;
      }
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #newFile(): Promise<MadeFile> {
    const { scratchDir } = this.#sources;
    await mkdir(scratchDir, { recursive: true });
    const path = join(scratchDir, `${randomUUID()}.parquet`);
    return {
      path,
      open: () => createReadStream(path),
      [Symbol.asyncDispose]: async () => await rm(path, { force: true }),
    };
  }
}
