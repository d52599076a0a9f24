/** Something that has happened to the state of a device, for those who watch it live. Plain data; is durable when it is told. */
export type StateEvent = ShadowEvent | CommandEvent | JobEvent;

export interface ShadowEvent {
  readonly kind: 'shadow';
  readonly device: string;
  /** '' is the classic one. */
  readonly shadow: string;
  readonly version: number;
  readonly change: 'updated' | 'deleted';
  /** As AWS publishes it to `update/documents`, JSON; of a deleted one undefined. */
  readonly documents: string | undefined;
}

export interface CommandEvent {
  readonly kind: 'command';
  readonly device: string;
  readonly command: string;
  readonly state: string;
}

export interface JobEvent {
  readonly kind: 'job';
  readonly device: string;
  readonly job: string;
  readonly execution: number;
  readonly status: string;
}
