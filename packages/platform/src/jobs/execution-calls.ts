import type { JobResult } from './job-answers.ts';
import type { JobDomain } from './job-domain.ts';
import type { JobRequest } from './job-request.ts';

/** What is asked of executions from outside their thread. */
export type ExecutionCalls = {
  /** What a device asks of its jobs otherwise than by MQTT; see `askedOf`. Never throws for what the request is at fault. */
  askJobs: (request: JobRequest) => Promise<JobResult>;
};

export function executionCalls(domain: JobDomain): ExecutionCalls {
  return { askJobs: async (request) => await domain.ask(request) };
}
