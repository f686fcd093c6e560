//! Doors for people and programs: JSON API, pages, SSE, metrics, health.
