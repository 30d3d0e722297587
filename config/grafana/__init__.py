"""What Grafana needs: a dashboard as code, and provisioning files. `python -m config.grafana.build FOLDER` writes them."""
