// Counters of this process since its start, as Prometheus reads them. They hold no names of callers, models or keys.

export class Metrics {
  readonly #started_ms = performance.now()
  readonly #requests = new Map<number, number>()
  readonly #jobs = new Map<string, number>()
  readonly #polls = new Map<string, number>()
  readonly #late = new Map<string, number>()
  readonly #lost_files = new Map<string, number>()

  request(status: number): void {
    this.#requests.set(status, (this.#requests.get(status) ?? 0) + 1)
  }

  /** `outcome` is the job's status at its end: completed, failed, canceled or expired. */
  job(outcome: string): void {
    this.#jobs.set(outcome, (this.#jobs.get(outcome) ?? 0) + 1)
  }

  /** How a provider answered a look at work under way: pending, done, failed, or the kind of its error. */
  poll(provider: string, outcome: string): void {
    const labels = `provider="${provider}",outcome="${outcome}"`
    this.#polls.set(labels, (this.#polls.get(labels) ?? 0) + 1)
  }

  /** Work that was done after its job had been given up: the provider may bill it, and nobody was charged. */
  lateSuccess(provider: string): void {
    this.#late.set(provider, (this.#late.get(provider) ?? 0) + 1)
  }

  /** A finished file that could not be brought here. */
  lostFile(provider: string): void {
    this.#lost_files.set(provider, (this.#lost_files.get(provider) ?? 0) + 1)
  }

  /** The text format of Prometheus, version 0.0.4. */
  text(): string {
    const cpu = process.cpuUsage()
    return [
      '# HELP switchyard_requests_total Requests answered, by HTTP status.',
      '# TYPE switchyard_requests_total counter',
      ...[...this.#requests].map(([status, count]) => `switchyard_requests_total{status="${status}"} ${count}`),
      '# HELP switchyard_jobs_total Jobs decided by this router, by outcome.',
      '# TYPE switchyard_jobs_total counter',
      ...[...this.#jobs].map(([outcome, count]) => `switchyard_jobs_total{outcome="${outcome}"} ${count}`),
      '# HELP switchyard_polls_total Looks at work under way, by provider and outcome.',
      '# TYPE switchyard_polls_total counter',
      ...[...this.#polls].map(([labels, count]) => `switchyard_polls_total{${labels}} ${count}`),
      '# HELP switchyard_late_successes_total Work that a provider finished after its job had been given up: never charged.',
      '# TYPE switchyard_late_successes_total counter',
      ...[...this.#late].map(([name, count]) => `switchyard_late_successes_total{provider="${name}"} ${count}`),
      '# HELP switchyard_lost_files_total Finished work whose file could not be brought here: never charged.',
      '# TYPE switchyard_lost_files_total counter',
      ...[...this.#lost_files].map(([name, count]) => `switchyard_lost_files_total{provider="${name}"} ${count}`),
      '# HELP switchyard_uptime_seconds Seconds since this router started.',
      '# TYPE switchyard_uptime_seconds gauge',
      `switchyard_uptime_seconds ${((performance.now() - this.#started_ms) / 1000).toFixed(0)}`,
      '# HELP process_cpu_seconds_total Processor time that this router has taken.',
      '# TYPE process_cpu_seconds_total counter',
      `process_cpu_seconds_total ${((cpu.user + cpu.system) / 1e6).toFixed(2)}`,
      '# HELP process_resident_memory_bytes Resident memory of this router.',
      '# TYPE process_resident_memory_bytes gauge',
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
      '',
    ].join('\n')
  }
}
