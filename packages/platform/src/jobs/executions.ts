import type { Batch } from '../state/batch.ts';
import type { ChangeCause, ExecutionKey, ExecutionStatus } from './job-execution.ts';

/** An execution has come to be, or has another status. */
export interface ExecutionChange extends ExecutionKey {
  readonly attempt: number;
  /** Undefined: it is new. */
  readonly from: ExecutionStatus | undefined;
  readonly to: ExecutionStatus;
  /** Undefined: it is new. */
  readonly cause: ChangeCause | undefined;
}

/** Hears, within the batch, what has happened to executions: their rows and `job_count` are written already. */
export interface ExecutionFollower {
  /** In the order in which it happened. May call Executions again within the same batch (a retry). A throw undoes the batch. */
  executionsChanged(changes: readonly ExecutionChange[], batch: Batch): Promise<void>;
}

/** Says which jobs a device is to wait with: outside of a maintenance window, or since the job is being cancelled. */
export interface ExecutionGate {
  /**
   * Those of the jobs, by device, whose QUEUED executions the device does not see now (pending lists, `$next`, `notify`) and may not
   * begin (InvalidStateTransition). What is IN_PROGRESS goes on.
   *
   * @param queued the numbers of the jobs that each device has QUEUED: up to 1,000 devices, to be answered in a few statements.
   * @returns devices of which none is closed may be left out.
   */
  closed(queued: ReadonlyMap<string, readonly number[]>, batch: Batch): Promise<ReadonlyMap<string, ReadonlySet<number>>>;
}

/** A device that is to do a job. */
export interface NewExecution {
  readonly device: string;
  /** 0 the first. */
  readonly attempt?: number;
}

/**
 * All that changes executions; devices are told (`notify`, `notify-next`), counts, history, timers and live events are kept with it.
 * Every method works within the batch, and is one step: give it at most 1,000 devices.
 */
export interface Executions {
  /** Who hears of changes from now on; one. */
  follow(follower: ExecutionFollower): void;

  /** Who is asked from now on which executions are held back; one. */
  gate(gate: ExecutionGate): void;

  /**
   * Tells devices (`notify`, `notify-next`) that have the job QUEUED that they may begin it now: their gate has opened.
   *
   * @returns those of the devices that have it QUEUED.
   */
  remind(job: number, devices: readonly string[], batch: Batch): Promise<readonly string[]>;

  /**
   * Queues the job for devices, which are told. A device that has it pending already is left out, and so is, unless `again`, one
   * that ever had it (since it was registered): to do the same step twice does nothing.
   *
   * @returns how many were queued.
   */
  add(job: number, devices: readonly NewExecution[], batch: Batch, options?: { readonly again?: boolean }): Promise<number>;

  /**
   * Cancels pending executions of a job, by order of device, at most `limit` of them: those that are QUEUED, with `force` also those
   * IN_PROGRESS.
   *
   * @returns how many; fewer than `limit`: there are no more.
   */
  cancelAll(
    job: number,
    options: { readonly force: boolean; readonly cause: 'cancel' | 'abort'; readonly limit: number },
    batch: Batch,
  ): Promise<number>;

  /**
   * Cancels the latest execution of the job on the device.
   *
   * @throws SelsynError `job-execution.not-found`; `job-execution.conflict` where it is IN_PROGRESS and not forced, terminal, or
   *   has another version than `expectedVersion`: `details.status`, `details.version`
   */
  cancel(
    job: number,
    device: string,
    options: { readonly force: boolean; readonly expectedVersion?: number | undefined },
    batch: Batch,
  ): Promise<void>;

  /** The devices are no more a target of the job: what they have pending of it becomes REMOVED. @returns how many. */
  remove(job: number, devices: readonly string[], batch: Batch): Promise<number>;

  /**
   * The devices are not registered any more: all that they have pending becomes REMOVED, and whoever has such an id from now on does not
   * see any of it. Also what was queued after they were removed: it was on its way then, or the clock was set back.
   */
  forget(devices: readonly string[], batch: Batch): Promise<void>;

  /** Deletes executions of a job with their history, at most `limit`; nobody is told. @returns how many; fewer than `limit`: there are no more. */
  deleteAll(job: number, limit: number, batch: Batch): Promise<number>;
}
