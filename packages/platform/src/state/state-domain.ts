import type { Batch } from './batch.ts';
import type { ClientLink } from './client-link.ts';
import type { DeviceRequest, Listening } from './device-request.ts';

/** One kind of state: shadows, commands, jobs. `W` is what it is asked to do, `R` what comes of it. */
export interface StateDomain<W, R> {
  /** Of metrics: `shadows`. */
  readonly name: string;
  /**
   * Does works in their order within the batch; works of one batch see what those before them did. A refusal is a result. A throw
   * undoes the whole batch; then its works are done in smaller ones, so that one bad work fails alone.
   *
   * @returns a result for each work.
   */
  apply(works: readonly W[], batch: Batch): Promise<readonly R[]>;
}

/** What a domain has to do with devices. */
export interface DeviceFacing {
  /**
   * A client published to one of the domain's topics: resolves once what it asked is durable, or refused by a message. Undefined: not
   * its topic. Rejects where it could not be done at all: the client is told so by whoever asks.
   */
  request(request: DeviceRequest): Promise<void> | undefined;
  /** See Listening. Called for filters of all domains. Must not throw. */
  listening?(listening: Listening): void;
  /** A client that was listening has gone. Must not throw. */
  gone?(link: ClientLink): void;
  /** See OutgoingMessage.receipt. Must not throw. */
  delivered?(receipt: string, link: ClientLink): void;
}
