import type { Principal } from './authorizer.ts';

/** Opaque to the broker: what the intake wants to see again with each message on this topic. */
export type Claim = { readonly brand?: 'Claim' } & object;

/**
 * Where messages go that the platform itself wants: telemetry to the log. The broker acknowledges them once they are
 * durable, and also delivers them to subscribers.
 */
export interface Intake {
  /** Called once for each topic of a connection. Undefined: an ordinary message, for subscribers only. */
  claim(principal: Principal, topic: string): Claim | undefined;
  /**
   * Copies `data[start, end)` and returns a ticket; tickets grow. The broker is told through `IntakeListener` when the
   * ticket is settled, never from within this call. @throws SelsynError when the message cannot be taken at all.
   */
  accept(claim: Claim, data: Uint8Array, start: number, end: number): number;
  /** True while no more should be read from publishers. */
  readonly saturated: boolean;
  attach(listener: IntakeListener): void;
}

export interface IntakeListener {
  /** All up to this ticket that were not settled before are durable. */
  onDurable(upTo: number): void;
  /** None of those up to this ticket that were not settled before was taken: `log.full` and others. */
  onRejected(upTo: number, error: Error): void;
  /** `saturated` has become false again. */
  onDrained(): void;
}
