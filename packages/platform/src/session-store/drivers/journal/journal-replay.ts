import { setImmediate as nextTurn } from 'node:timers/promises';
import { SelsynError, isSelsynError } from '../../../kernel/errors.ts';
import type { Log, PartitionId, RecordBatch } from '../../../log/log.ts';
import { ByteReader } from '../../byte-reader.ts';
import { JournalFold } from './journal-fold.ts';
import { decodeRecord } from './journal-record.ts';

/**
 * Reads a partition from its oldest record to its end and folds it; one batch a turn of the event loop.
 *
 * Memory is bounded by the history, which snapshots bound.
 * @throws SelsynError `data.corrupt`, `log.failed`
 */
export async function replayJournal(log: Log, partition: PartitionId): Promise<JournalFold> {
  const fold = new JournalFold();
  await using reader = await log.openReader(partition, await log.oldest(partition));
  const bytes = new ByteReader();
  for (let batch = reader.read(); batch !== undefined; batch = reader.read()) {
    foldBatch(fold, bytes, batch);
    await nextTurn();
  }
  return fold;
}

function foldBatch(fold: JournalFold, bytes: ByteReader, batch: RecordBatch): void {
  const { data, starts, ends, count, partition, firstOffset } = batch;
  for (let i = 0; i < count; i += 1) {
    const [start, end] = [starts[i]!, ends[i]!];
    try {
      fold.take(decodeRecord(bytes, data, start, end), end - start);
    } catch (cause) {
      if (!isSelsynError(cause, 'data.corrupt')) throw cause;
      throw new SelsynError('data.corrupt', cause.message, { cause, details: { partition, offset: firstOffset + i } });
    }
  }
}
