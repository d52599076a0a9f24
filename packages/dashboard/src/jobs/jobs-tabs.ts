export const JOBS_TABS = ['jobs', 'settings', 'defaults'] as const;
export type JobsTab = (typeof JOBS_TABS)[number];
