import type { Batch } from '../../state/batch.ts';
import { isTerminal, type ExecutionStatus } from '../job-execution.ts';
import { readOfJob } from '../execution-statements.ts';
import type { Executions } from '../executions.ts';
import type { StoredJob } from './stored-job.ts';
import { dropWaiting, putWaiting, waitingAmong } from './waiting-list.ts';

/** Whether a job gives out executions as soon as it knows of a device: it has no rate and no maintenance windows. */
export function isUnbounded({ config }: Pick<StoredJob, 'config'>): boolean {
  return config.rollout === undefined && !hasWindows({ config });
}

export function hasWindows({ config }: Pick<StoredJob, 'config'>): boolean {
  return (config.schedule?.maintenanceWindows ?? []).length > 0;
}

/**
 * Gives devices that are meant an execution, or lets them wait for it: those that have none, and of a continuous job those that came
 * back after they were removed from its targets. To do it twice does nothing.
 *
 * @param devices each once, at most 1,000.
 * @returns how many more wait.
 */
export async function enlist(
  job: StoredJob,
  devices: readonly string[],
  { batch, executions }: { readonly batch: Batch; readonly executions: Executions },
): Promise<number> {
  if (devices.length === 0) return 0;
  const { transaction } = batch;
  const latest = await latestOf(job.number, devices, batch);
  const fresh = devices.filter((device) => !latest.has(device));
  const back = job.selection === 'continuous' ? devices.filter((device) => latest.get(device) === 'REMOVED') : [];
  if (isUnbounded(job)) {
    if (fresh.length > 0) await executions.add(job.number, asNew(fresh), batch);
    if (back.length > 0) await executions.add(job.number, asNew(back), batch, { again: true });
    return 0;
  }
  const wanted = [...fresh, ...back];
  const known = await waitingAmong(transaction, job.number, wanted);
  const waiting = wanted.filter((device) => !known.has(device)).map((device) => ({ device, readyAtMs: 0, attempt: 0 }));
  await putWaiting(transaction, job.number, waiting);
  return waiting.length;
}

/**
 * Devices are no more meant: what they have pending becomes REMOVED, and they wait no more.
 *
 * @returns how many fewer wait.
 */
export async function dismiss(
  job: StoredJob,
  devices: readonly string[],
  { batch, executions }: { readonly batch: Batch; readonly executions: Executions },
): Promise<number> {
  if (devices.length === 0) return 0;
  await executions.remove(job.number, devices, batch);
  return await dropWaiting(batch.transaction, job.number, devices);
}

/** How the latest execution of each device stands. */
async function latestOf(job: number, devices: readonly string[], batch: Batch): Promise<ReadonlyMap<string, ExecutionStatus>> {
  const latest = new Map<string, { readonly number: number; readonly status: ExecutionStatus }>();
  for (const { device, number, status, deviceRemoved } of await readOfJob(batch.transaction, job, devices)) {
    // What a device of that id had, which is no more, is not of this one.
    if (deviceRemoved && isTerminal(status)) continue;
    if ((latest.get(device)?.number ?? 0) < number) latest.set(device, { number, status });
  }
  return new Map([...latest].map(([device, { status }]) => [device, status]));
}

function asNew(devices: readonly string[]): readonly { readonly device: string }[] {
  return devices.map((device) => ({ device }));
}
