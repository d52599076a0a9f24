/** Commands to devices, and who answers what devices ask. */
export interface CommandTables {
  readonly command: CommandTable;
  readonly command_purge: CommandPurgeTable;
  readonly request_hook: RequestHookTable;
}

/** A command, and all that has become of it. */
export interface CommandTable {
  /** Grows with time, so that the order of ids is the order in which commands were given. */
  readonly id: string;
  /** The id for devices whose protocol has room for a number alone. Grows too. */
  readonly number: number;
  readonly device: string;
  readonly name: string;
  /** JSON; null: none. */
  readonly payload: string | null;
  /** 1: done once the device has it, without an answer. */
  readonly one_way: number;
  readonly state: string;
  /** How often it went out. */
  readonly sends: number;
  readonly created_at_ms: number;
  /** It is not sent any more from then on. */
  readonly send_until_ms: number;
  /** No answer counts any more from then on. */
  readonly expires_at_ms: number;
  /** When it has to be looked at again; null: it is finished. */
  readonly deadline_ms: number | null;
  readonly finished_at_ms: number | null;
  /** Why it is in its last state, for people. */
  readonly reason: string | null;
  /** JSON, see command.ts: states with their times; the newest progress; the answer; the answer that came too late. */
  readonly history: string;
  readonly progress: string | null;
  readonly answer: string | null;
  readonly late_answer: string | null;
  /** JSON: who gave it. */
  readonly created_by: string;
  /** Given by who created it; no two commands of a device have the same. */
  readonly idempotency_key: string | null;
  /** Of what was asked with that key. */
  readonly request_hash: string | null;
}

/** Devices that were removed, and whose commands are still to be taken away. */
export interface CommandPurgeTable {
  readonly device: string;
  /** Commands that were created up to then go. */
  readonly before_ms: number;
}

/** Who answers a method that devices ask for. */
export interface RequestHookTable {
  readonly method: string;
  readonly url: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}
