import type { AuditChange } from '../audit/audit-trail.ts';
import type { StateDatabase } from '../database/schema.ts';
import type { OutgoingMessage } from './outgoing.ts';
import type { StateEvent } from './state-events.ts';

/** One transaction of the state, which the works of many requests share. */
export interface Batch {
  readonly transaction: StateDatabase;
  /** Wall time of all that happens in it, ms. */
  readonly nowMs: number;
  /** Goes out, in this order, once the batch is durable; not at all where it fails. */
  publish(message: OutgoingMessage): void;
  /** Goes to the audit trail, with the batch or not at all. For what people and programs change, not for what devices say. */
  audit(change: AuditChange): void;
  /** Whether somebody watches this device: an event is to be made only then. */
  isWatched(device: string): boolean;
  /** Told to those who watch, once the batch is durable. */
  tell(event: StateEvent): void;
  /** Called once the batch is durable, in this order. Must not throw. */
  afterCommit(then: () => void): void;
  /** Called where the batch fails: what was kept in memory of it is wrong. Must not throw. */
  onRollback(then: () => void): void;
}
