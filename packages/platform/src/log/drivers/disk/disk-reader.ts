import { closeSync, fstatSync, openSync } from 'node:fs';
import { SelsynError, systemCode } from '../../../kernel/errors.ts';
import type { LogReader, Offset, PartitionId, RecordBatch } from '../../log.ts';
import type { DiskLogSetup } from './disk-options.ts';
import { FrameDecoder } from './frame-decoder.ts';
import { logCorrupt, logFault } from './log-faults.ts';
import { listSegments, partitionFolder, readSegmentHeader, segmentPath } from './segment-file.ts';
import { SegmentScanner } from './segment-scanner.ts';
import type { SharedPositions } from './shared-positions.ts';

/** How long a reader waits at most before it looks at its signal by itself. */
const WAIT_MS = 1000;

interface OpenSegment {
  readonly base: number;
  readonly path: string;
  readonly fd: number;
  readonly scanner: SegmentScanner;
  /** The segment that follows: where this one's records end, and where its own begin. Undefined for the active one. */
  readonly next: { readonly previousEnd: number; readonly base: number } | undefined;
  /** Bytes to read at most; the active segment's are told by its tail. */
  readonly sizeBytes: number;
}

/** Reads a partition from its files, up to the durable end that the writer's thread shares. */
export class DiskReader implements LogReader {
  readonly #setup: DiskLogSetup;
  readonly #partition: number;
  readonly #folder: string;
  readonly #positions: SharedPositions;
  readonly #decoder: FrameDecoder;
  #position: number;
  #segment: OpenSegment | undefined;
  /** Of the shared positions when the segment was looked up. */
  #generation = -1;
  readonly #onClosed: () => void;
  #isClosed = false;

  constructor(setup: DiskLogSetup, partition: PartitionId, positions: SharedPositions, from: number, onClosed: () => void) {
    this.#setup = setup;
    this.#partition = partition;
    this.#folder = partitionFolder(setup.dir, partition);
    this.#positions = positions;
    this.#decoder = new FrameDecoder(partition, setup.maxSources);
    this.#position = from;
    this.#onClosed = onClosed;
  }

  get position(): Offset {
    return this.#position as Offset;
  }

  get end(): Offset {
    return this.#positions.end as Offset;
  }

  read(): RecordBatch | undefined {
    if (this.#isClosed) throw new SelsynError('log.closed', 'the reader is closed');
    try {
      return this.#read();
    } catch (error) {
      throw logFault(error, this.#folder);
    }
  }

  async wait(signal: AbortSignal): Promise<void> {
    const stop = Promise.withResolvers<void>();
    const onAbort = (): void => stop.resolve();
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted && !this.#isClosed) {
        const end = this.#positions.end;
        if (this.#position < end) return;
        await Promise.race([this.#positions.changeOf(end, WAIT_MS), stop.promise]);
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#close();
    this.#onClosed();
  }

  #read(): RecordBatch | undefined {
    while (this.#position < this.#positions.end) {
      const generation = this.#positions.generation;
      const tail = this.#positions.tail;
      // The writer is between two segments, or was just now.
      if (generation % 2 === 1 || this.#positions.generation !== generation) continue;
      const segment = this.#segment;
      if (segment === undefined || generation !== this.#generation) {
        this.#lookUp(generation);
        continue;
      }
      if (segment.next !== undefined && this.#position >= segment.next.previousEnd) {
        this.#position = Math.max(this.#position, segment.next.base);
        this.#close();
        continue;
      }
      const batch = this.#nextIn(segment, segment.next === undefined ? tail : segment.sizeBytes);
      if (batch !== undefined) return batch;
    }
    return undefined;
  }

  /** The next frame, or undefined when it lies before the position. */
  #nextIn(segment: OpenSegment, limit: number): RecordBatch | undefined {
    const { scanner } = segment;
    const found = scanner.next(limit);
    if (found !== 'frame') {
      const what = found === 'end' ? 'it ends before its last record' : 'a frame is not valid';
      throw logCorrupt(segment.path, scanner.position, this.#position, what);
    }
    const { firstOffset, nextOffset } = scanner;
    if (nextOffset <= this.#position) {
      scanner.advance();
      return undefined;
    }
    if (firstOffset > this.#position) throw logCorrupt(segment.path, scanner.position, this.#position, 'records are missing');
    const batch = this.#decoder.decode(scanner.buffer, scanner.frameStart, scanner.frameEnd, this.#position);
    scanner.advance();
    this.#position = nextOffset;
    return batch;
  }

  /** Finds the segment that holds the position, and whether another follows. Keeps its place in one that is open already. */
  #lookUp(generation: number): void {
    try {
      this.#open();
    } catch (error) {
      // Retention, or a writer that replaces a segment, was faster: the next turn sees the folder as it is then.
      if (systemCode(error) === 'ENOENT') return this.#close();
      throw error;
    }
    this.#generation = generation;
  }

  #open(): void {
    const bases = listSegments(this.#folder);
    const index = bases.findLastIndex((base) => base <= this.#position);
    if (index < 0) {
      throw new SelsynError('log.offset-gone', 'the log no longer holds this offset', {
        details: { partition: this.#partition, offset: this.#position, oldest: bases[0] ?? this.#positions.end },
      });
    }
    const base = bases[index]!;
    const path = segmentPath(this.#folder, base);
    const next = this.#successor(bases[index + 1]);
    const known = this.#segment;
    // It is the same file still: only a segment without a durable record is ever replaced, and none such was opened.
    if (known?.base === base) {
      this.#segment = { ...known, next, sizeBytes: fstatSync(known.fd).size };
      return;
    }
    this.#close();
    const fd = openSync(path, 'r');
    const scanner = new SegmentScanner(fd, this.#setup.seed);
    const sizeBytes = fstatSync(fd).size;
    this.#segment = { base, path, fd, scanner, next, sizeBytes };
    scanner.skipTo(this.#position, sizeBytes);
  }

  #successor(base: number | undefined): { readonly previousEnd: number; readonly base: number } | undefined {
    // A file that is being made, or that recovery would take away, is not yet a successor.
    if (base === undefined || base > this.#positions.active) return undefined;
    const path = segmentPath(this.#folder, base);
    const header = readSegmentHeader(path);
    if (header === undefined || header.identity !== this.#setup.identity)
      throw logCorrupt(path, 0, base, 'its header is not valid');
    return { previousEnd: header.previousEnd, base };
  }

  #close(): void {
    if (this.#segment !== undefined) closeSync(this.#segment.fd);
    this.#segment = undefined;
  }
}
