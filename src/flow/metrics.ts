// Counters of this process since its start, as Prometheus reads them. They hold no names of callers, models or keys.

export class Metrics {
  readonly #started_ms = performance.now()
  readonly #requests = new Map<number, number>()
  readonly #jobs = new Map<string, number>()

  request(status: number): void {
    this.#requests.set(status, (this.#requests.get(status) ?? 0) + 1)
  }

  /** `outcome` is the job's status at its end: completed, failed, canceled or expired. */
  job(outcome: string): void {
    this.#jobs.set(outcome, (this.#jobs.get(outcome) ?? 0) + 1)
  }

  /** The text format of Prometheus, version 0.0.4. */
  text(): string {
    return [
      '# HELP switchyard_requests_total Requests answered, by HTTP status.',
      '# TYPE switchyard_requests_total counter',
      ...[...this.#requests].map(([status, count]) => `switchyard_requests_total{status="${status}"} ${count}`),
      '# HELP switchyard_jobs_total Jobs decided by this router, by outcome.',
      '# TYPE switchyard_jobs_total counter',
      ...[...this.#jobs].map(([outcome, count]) => `switchyard_jobs_total{outcome="${outcome}"} ${count}`),
      '# HELP switchyard_uptime_seconds Seconds since this router started.',
      '# TYPE switchyard_uptime_seconds gauge',
      `switchyard_uptime_seconds ${((performance.now() - this.#started_ms) / 1000).toFixed(0)}`,
      '# HELP process_resident_memory_bytes Resident memory of this router.',
      '# TYPE process_resident_memory_bytes gauge',
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
      '',
    ].join('\n')
  }
}
