export type StandardVersion = '3.1.1' | '5.0';

/** One normative statement of the standard, `[MQTT-3.1.2-3]`. */
export interface Statement {
  /** `3.1.2-3`. The two versions use the same numbers for different things. */
  readonly id: string;
  readonly version: StandardVersion;
  /** Whom it binds. */
  readonly binds: Binds;
  /** What it asks for, in our words; the standard's text is what counts. */
  readonly says: string;
}

export type Binds = 'server' | 'client' | 'both';

/** A statement in a list of one version. `same` (3.1.1): that of 5.0 with this number asks for the same. */
export type StatementRow = readonly [id: string, binds: Binds, says: string, same?: 'same'];
