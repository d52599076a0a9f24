import type { ForwarderHealth } from './forwarder-health.ts';
import type { TargetSecrets, TargetSettings } from './target-settings.ts';

/** `raw`: what the device sent, as it is. `samples`: what it means, as the store reads it. */
export type ForwardFormat = 'raw' | 'samples';

/** Which records are forwarded; absent fields allow all. */
export interface ForwarderFilter {
  /** Topic filters as MQTT has them: one of them must match. */
  readonly topics?: readonly string[] | undefined;
  readonly idPrefix?: string | undefined;
  /** In this group or below. */
  readonly group?: string | undefined;
  /** Device types: it must be of one of them. */
  readonly types?: readonly string[] | undefined;
  /** Text of the filter language. */
  readonly filter?: string | undefined;
  /** Names, `*` for any characters. With the format `samples` alone. */
  readonly metrics?: readonly string[] | undefined;
}

/** How much goes out at once: whatever bound is reached first. */
export interface BatchSettings {
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** How long the first record of a batch waits for others. */
  readonly lingerMs: number;
}

export const DEFAULT_BATCH: BatchSettings = { maxRecords: 1_000, maxBytes: 1_048_576, lingerMs: 100 };

/** Sends live telemetry somewhere else: what of it, how, and where. */
export interface Forwarder {
  readonly id: string;
  readonly description?: string | undefined;
  readonly target: TargetSettings;
  readonly format: ForwardFormat;
  readonly filter: ForwarderFilter;
  readonly batch: BatchSettings;
  /** Where it began: with what came after it was made, or with all that the log had. */
  readonly startAt: 'now' | 'beginning';
  /** It keeps its place in the log meanwhile, within the bounds of the backlog. */
  readonly paused: boolean;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** With what is secret, for who sends. */
export interface OpenForwarder {
  readonly forwarder: Forwarder;
  readonly secrets: TargetSecrets;
}

/** `closed`: it goes; `retrying`: it failed lately; `open`: it failed often and is asked now and then; `half-open`: it is being asked. */
export type CircuitState = 'closed' | 'retrying' | 'open' | 'half-open';

/** How a forwarder gets on. Numbers of records, where not said otherwise. */
export interface ForwarderState {
  readonly id: string;
  readonly lagRecords: number;
  /** Age of the oldest one that is still to be sent. */
  readonly lagSeconds: number;
  readonly lagBytes: number;
  readonly sent: number;
  readonly sentBytes: number;
  readonly batches: number;
  /** Attempts, not records. */
  readonly failures: number;
  /** Not wanted by the filter. */
  readonly filtered: number;
  /** The log let go of them before they could be sent. */
  readonly skipped: number;
  /** Not telemetry: among the dead letters. */
  readonly undecodable: number;
  /** The target said no to them: they are kept aside. */
  readonly refused: number;
  /** Of these, so many since the target took one. */
  readonly refusedInRow: number;
  /** What the target said of the last one. */
  readonly lastRefusal?: { readonly message: string; readonly atMs: number } | undefined;
  readonly health: ForwarderHealth;
  readonly circuit: CircuitState;
  readonly lastError?: { readonly message: string; readonly atMs: number } | undefined;
  readonly lastSentMs?: number | undefined;
  readonly lastSkip?: { readonly records: number; readonly atMs: number } | undefined;
  readonly partitions: readonly { readonly partition: number; readonly position: number; readonly end: number }[];
}

/** A record that the target said no to. */
export interface RefusedRecord {
  readonly number: number;
  readonly partition: number;
  readonly offset: number;
  readonly device: string;
  readonly topic: string;
  readonly arrivalMs: number;
  readonly refusedAtMs: number;
  readonly reason: string;
  readonly payload: Uint8Array;
}

/** What is told to whoever subscribes to `$selsyn/events/forwarders/#`. */
export interface ForwarderEvent {
  readonly event: 'failing' | 'recovered' | 'skipped' | 'refused' | 'refusing' | 'backlog';
  readonly forwarder: string;
  readonly atMs: number;
  readonly message: string;
  readonly records?: number | undefined;
}

/** What the forwarder thread answers. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type ForwardingCalls = {
  /** Adds or changes; what is unchanged goes on where it is. */
  putForwarder(open: OpenForwarder): Promise<void>;
  removeForwarder(id: string): Promise<void>;
  forwarderStates(argument: null): Promise<readonly ForwarderState[]>;
  /** Sends one record of a device named `selsyn-test`. */
  testForwarder(open: OpenForwarder): Promise<TestOutcome>;
  /** @throws SelsynError `forwarder.not-found` */
  resetForwarder(argument: { readonly id: string; readonly to: 'now' | 'beginning' }): Promise<void>;
  refusedRecords(argument: {
    readonly id: string;
    readonly after: number;
    readonly limit: number;
  }): Promise<readonly RefusedRecord[]>;
  /** Sends them again, in their order. @throws SelsynError `forwarder.not-found` */
  resendRefused(id: string): Promise<{ readonly sent: number; readonly left: number }>;
  discardRefused(id: string): Promise<{ readonly discarded: number }>;
  /** Takes away what is kept of a device's records. */
  forgetForwarded(device: string): Promise<void>;
};

export interface TestOutcome {
  readonly ok: boolean;
  readonly durationMs: number;
  readonly message?: string | undefined;
}
