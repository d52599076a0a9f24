import type { Offset } from '../../../log/log.ts';
import { type ByteReader, corrupt } from '../../byte-reader.ts';
import type { ByteWriter } from '../../byte-writer.ts';
import { decodeChange } from '../../change-decoder.ts';
import { OF_SNAPSHOT } from '../../change-format.ts';
import type { StoreChange } from '../../session-store.ts';

/**
 * A record of the journal: a change (change-format.ts), or a mark that frames a snapshot.
 *
 *   ┌────────────┬───────────┐
 *   │ 0x70 begin │ id varint │   the changes from here on with bit 7 set are the snapshot
 *   │ 0x71 end   │           │   of the snapshot that began last: all of it is durable
 *   └────────────┴───────────┘
 *   The id is an offset of the journal that is not behind the begin mark: what lies before it, nobody needs once the end
 *   mark is durable. No two durable begin marks have the same.
 */
const BEGIN = 0x70;
const END = 0x71;

export type JournalRecord =
  | { readonly kind: 'begin'; readonly id: Offset }
  | { readonly kind: 'end'; readonly id: Offset }
  | { readonly kind: 'change'; readonly change: StoreChange; readonly ofSnapshot: boolean };

export function encodeMark(into: ByteWriter, kind: 'begin' | 'end', id: Offset): void {
  into.u8(kind === 'begin' ? BEGIN : END);
  into.varint(id);
}

/** Reads the record in `bytes[start, end)`. @throws SelsynError `data.corrupt` */
export function decodeRecord(reader: ByteReader, bytes: Uint8Array, start: number, end: number): JournalRecord {
  reader.open(bytes, start, end);
  const kind = reader.u8();
  if (kind !== BEGIN && kind !== END) {
    return {
      kind: 'change',
      change: decodeChange(reader, kind & ~OF_SNAPSHOT),
      ofSnapshot: (kind & OF_SNAPSHOT) !== 0,
    };
  }
  const id = reader.varint() as Offset; // as `encodeMark` wrote it
  if (!reader.isAtEnd) throw corrupt('bytes follow it');
  return { kind: kind === BEGIN ? 'begin' : 'end', id };
}
