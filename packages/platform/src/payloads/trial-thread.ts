import { type MessagePort, workerData } from 'node:worker_threads';
import { serveCalls } from '../kernel/thread-channel.ts';
import { ScriptRunner } from '../sandbox/script-runner.ts';
import type { Trial } from './decoder-trial.ts';
import { runTrial, type TrialJob } from './trial-job.ts';

/** What a thread of trials answers, one call at a time. */
export type TrialCalls = {
  try(job: TrialJob): Promise<Trial>;
  check(source: string): Promise<void>;
};

/** Somebody waits: a script that does not come back is not tried twice. */
const HARD_MS = 300;

const { port } = workerData as { readonly port: MessagePort };
const scripts = new ScriptRunner({ hardMs: HARD_MS, tries: 1 });
serveCalls<TrialCalls>(port, {
  try: async (job) => runTrial(job, scripts),
  check: async (source) => scripts.check(scripts.script(source)),
});
