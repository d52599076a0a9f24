import { z } from 'zod';
import { writeHours } from './day-hours.ts';
import { emptyFolder, openEngine } from './engine.ts';
import type { ParquetCalls } from './parquet-calls.ts';
import { DeviceReading, ParquetReading } from './parquet-reading.ts';
import { ParquetWriting } from './parquet-writing.ts';
import { serveProcess, startArgument } from './serve-process.ts';

/** What a join may write aside while it sorts. */
const MAX_SCRATCH_BYTES = 64 * 1024 ** 3;

const start = z.object({ scratchDir: z.string(), memoryBytes: z.number(), threads: z.number() }).parse(startArgument());
emptyFolder(start.scratchDir);
const { connection } = await openEngine({ ...start, maxScratchBytes: MAX_SCRATCH_BYTES });
const writing = new ParquetWriting(connection, start.scratchDir);
const readings = new Map<number, ParquetReading>();
const deviceReadings = new Map<number, DeviceReading>();
const types = new Map<number, Map<string, string>>();

serveProcess<ParquetCalls>({
  append: async ({ draft, batch }) => await writing.append(draft, batch),
  finish: async ({ draft, path }) => await writing.finish(draft, path),
  abandon: async ({ draft }) => writing.abandon(draft),
  addTypes: ({ hours, type, devices }) => {
    const typeOf = types.get(hours) ?? new Map<string, string>();
    types.set(hours, typeOf);
    for (const device of devices) typeOf.set(device, type);
  },
  writeHours: async ({ number, ...request }) => {
    const typeOf = types.get(number) ?? new Map<string, string>();
    types.delete(number);
    return await writeHours(request, typeOf, writing);
  },
  merge: async (request) => await writing.merge(request),
  verify: async ({ path }) => await writing.verify(path),
  read: async ({ reading, path, where }) => {
    let open = readings.get(reading);
    if (open === undefined) readings.set(reading, (open = await ParquetReading.open(connection, path, where)));
    const batch = await open.next();
    if (batch === undefined) readings.delete(reading);
    return batch;
  },
  readDevices: async ({ reading, files, where }) => {
    let open = deviceReadings.get(reading);
    if (open === undefined) deviceReadings.set(reading, (open = await DeviceReading.open(connection, files, where)));
    const batch = await open.next();
    if (batch === undefined) deviceReadings.delete(reading);
    return batch;
  },
  endReading: ({ reading }) => {
    readings.delete(reading);
    deviceReadings.delete(reading);
  },
});
